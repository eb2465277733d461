#!/usr/bin/env bash
# Gets what checks the templates and the state machines into a directory: two Python environments and Node packages. Does
# nothing when all is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: setup.sh TARGET_DIRECTORY PYTHON}
python=${2:?usage: setup.sh TARGET_DIRECTORY PYTHON}

wanted=$(cat "$here/requirements.txt" "$here/requirements-sam.txt" "$here/package-lock.json" "$here/setup.sh" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/ready" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

echo "Setting up the checks of the templates in $target"
rm -rf "$target"
mkdir -p "$target"
"$python" -m venv "$target/venv"
"$target/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
  --no-binary antlr4-python3-runtime -r "$here/requirements.txt"
"$python" -m venv "$target/sam"
# All that it needs is listed; of a package with extras pip would not see that.
"$target/sam/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-deps \
  -r "$here/requirements-sam.txt"
cp "$here/package.json" "$here/package-lock.json" "$target"
npm ci --prefix "$target" --silent --no-audit --no-fund --ignore-scripts
echo "$wanted" > "$target/ready"
