"""In place of a tool: it writes down how it was called, and makes what others call then: a virtual environment's programs,
Node's, those that cargo installs. Where the tool works in another folder than its caller, so does this.
"""

import json
import os
import shutil
import sys

log, program, *arguments = sys.argv[1:]


def another(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(program, path)


def after(option):
    """The value of an option, as `--option value` or `--option=value`."""
    for place, one in enumerate(arguments):
        if one == option:
            return arguments[place + 1]
        if one.startswith(f"{option}="):
            return one.partition("=")[2]
    return None


tool = os.path.basename(program)
with open(log, "a") as file:
    environment = {name: os.environ.get(name) for name in ("CARGO_TARGET_DIR", "PATH", "PYTHONPATH")}
    call = {"tool": tool, "arguments": arguments, "folder": os.getcwd(), "environment": environment}
    file.write(json.dumps(call) + "\n")

if arguments[:2] == ["-m", "venv"]:
    for name in ("python", "pip", "ruff", "cfn-lint", "sam", "checkov"):
        another(f"{arguments[2]}/bin/{name}")
elif tool == "cargo" and arguments[:1] == ["install"]:
    another(f"{after('--root')}/bin/{[one for one in arguments if one.startswith('cargo-')][0]}")
elif tool == "npm" and arguments[0] == "ci":
    another(f"{after('--prefix')}/node_modules/.bin/asl-validator")
elif tool == "npm" and arguments[0] == "run":  # a script runs in the folder of its package
    os.chdir(after("--prefix"))
    out = after("--outfile")
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    open(out, "w").close()
