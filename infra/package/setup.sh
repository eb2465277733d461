#!/usr/bin/env bash
# Gets what builds the packages, cargo-lambda and the linker that it cross-compiles with, into a directory. Does nothing
# when it is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: setup.sh TARGET_DIRECTORY PYTHON}
python=${2:?usage: setup.sh TARGET_DIRECTORY PYTHON}

wanted=$(cat "$here/requirements.txt" "$here/setup.sh" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/ready" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

echo "Setting up what builds the packages in $target"
rm -rf "$target"
mkdir -p "$target"
"$python" -m venv "$target/venv"
"$target/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
  -r "$here/requirements.txt"
echo "$wanted" > "$target/ready"
