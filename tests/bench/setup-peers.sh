#!/usr/bin/env bash
# Gets the peers of the benchmarks into a directory: boto3 with AWS's own runtime client, and a bundle for Node.js.
set -euo pipefail
here=$(cd "$(dirname "$0")/peers" && pwd)
target=$(realpath -m "${1:?usage: setup-peers.sh TARGET_DIRECTORY PYTHON}") # npm runs its scripts in its own folder
python=${2:?usage: setup-peers.sh TARGET_DIRECTORY PYTHON}

wanted=$(cat "$here"/*.* "$0" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/ready" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

echo "Setting up the peers in $target"
rm -rf "$target"
mkdir -p "$target"
"$python" -m venv "$target/venv"
"$target/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
"$target/venv/bin/python" -m compileall -q "$target/venv/lib"
cp "$here"/package*.json "$here"/*.mjs "$target"
npm ci --prefix "$target" --silent --no-audit --no-fund
npm run --prefix "$target" --silent bundle -- --outfile="$target/peer.mjs" --log-level=error
echo "$wanted" > "$target/ready"
