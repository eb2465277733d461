"""A clone of this repository, as one finds it who has just got it."""

import shutil
import subprocess

import pytest
from fresh_shell import ROOT, Shell


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files of this repository, with what is not committed yet, and none that Git ignores."""
    folder = tmp_path_factory.mktemp("clone")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def shell(clone, tmp_path):
    return Shell(clone, tmp_path)
