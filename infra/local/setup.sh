#!/usr/bin/env bash
# Gets what the local AWS is made of into a directory: a Python environment, and AWS's Lambda Runtime Interface
# Emulator. Says what it does, and does nothing when all is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: setup.sh TARGET_DIRECTORY}

# The emulator is a binary inside the wheel of AWS's SAM CLI; nothing else of that package is needed.
sam_cli=aws-sam-cli==1.170.0
sam_cli_sha256=24ebaf5ecba38dc1758089968cb89ab61e124b84e92a344fc7a2771a47f4d0bf

wanted=$(cat "$here/requirements.txt" "$here/setup.sh" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/ready" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

python=
for candidate in python3 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "The local AWS needs Python 3.11 or newer; none was found." >&2
  exit 1
fi

mkdir -p "$target"
echo "Setting up the local AWS in $target: Python packages"
rm -rf "$target/venv" "$target/rie" "$target/ready"
"$python" -m venv "$target/venv"
"$target/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
  --no-binary antlr4-python3-runtime -r "$here/requirements.txt"

echo "Setting up the local AWS in $target: the Lambda Runtime Interface Emulator"
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
echo "$sam_cli --hash=sha256:$sam_cli_sha256" > "$download/requirements.txt"
"$target/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
  --dest "$download" -r "$download/requirements.txt"
mkdir -p "$target/rie"
"$python" - "$download" "$target/rie" <<'PYTHON'
import pathlib, sys, zipfile

download, target = map(pathlib.Path, sys.argv[1:])
wheel = zipfile.ZipFile(next(download.glob("*.whl")))
for machine in ("x86_64", "arm64"):
    emulator = target / f"aws-lambda-rie-{machine}"
    emulator.write_bytes(wheel.read(f"samcli/local/rapid/{emulator.name}"))
    emulator.chmod(0o755)
PYTHON
echo "$wanted" > "$target/ready"
