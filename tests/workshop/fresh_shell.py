"""A fresh shell in a clone, and tools that only say how they were called."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


ROOT = Path(__file__).resolve().parents[2]
#: What the targets call that is no part of every machine.
TOOLS = ("cargo", "cargo-nextest", "npm", "python3", "rustup")


class Shell:
    """A fresh one, with no variable set, in a clone in which nothing was made before."""

    def __init__(self, clone, folder):
        self.clone, self.log, tools = clone, folder / "calls", folder / "tools"
        shutil.rmtree(clone / "target", ignore_errors=True)
        tools.mkdir()
        for name in TOOLS:
            stand_in(tools / name, self.log)
        self.environment = {"HOME": str(folder), "PATH": f"{tools}:/usr/bin:/bin"}

    def make(self, *arguments):
        """Runs make. Its exit code, and all that it has written."""
        ended = subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout

    def calls(self):
        """How the tools were called: each a dictionary of `tool`, `arguments`, `folder` and `environment`."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


def stand_in(path, log):
    """A tool that does nothing of its work."""
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {Path(__file__).parent / "stand_in.py"} {log} $0 "$@"\n')
    path.chmod(0o755)


def is_within(folder, path):
    return os.path.commonpath([folder, path]) == str(folder)
