"""GitHub's workflows: what they use is pinned, what they run exists, and dependabot looks at everything that is pinned."""

import re
import subprocess

import pytest
import yaml
from fresh_shell import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
#: The files that each of dependabot's ecosystems reads.
READS = {
    "cargo": ["Cargo.lock"],
    "github-actions": [".github/workflows/ci.yml"],
    "npm": ["package-lock.json"],
    "pip": ["requirements.txt", "requirements-sam.txt"],
    "rust-toolchain": ["rust-toolchain.toml"],
}


def jobs():
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield pytest.param(job, id=f"{path.stem}-{name}")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit(path):
    """A tag can be moved. The comment says which release it is; dependabot keeps both up to date."""
    used = re.findall(r"uses: *(.*)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_commit_everywhere():
    used = {}
    for path in WORKFLOWS:
        for name, commit in re.findall(r"uses: *([\w-]+/[\w-]+)[\w/-]*@(.*)", path.read_text()):
            used.setdefault(name, set()).add(commit)
    assert {name: len(commits) for name, commits in used.items()} == dict.fromkeys(used, 1)


@pytest.mark.parametrize("job", jobs())
def test_a_job_runs_what_there_is_and_ends(job):
    assert job["timeout-minutes"]
    needed = job.get("needs", [])
    assert set([needed] if isinstance(needed, str) else needed) <= set(JOBS)
    for step in job["steps"]:
        run = step.get("run", "")
        made = re.findall(r"^make ([a-z][a-z-]*)", run, re.MULTILINE)
        assert set(made) <= set(TARGETS), run
        for script in re.findall(r"^(\.\S+)", run, re.MULTILINE):
            assert (ROOT / script).exists(), script


JOBS = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]


def test_what_is_restored_is_what_was_built():
    """The jobs that need a build take it by the key under which it was kept."""
    keys = {
        step["with"]["key"]
        for job in JOBS.values()
        for step in job["steps"]
        if "/cache" in step.get("uses", "") and job.get("needs") == "build"
    }
    [built] = [step["with"]["key"] for step in JOBS["build"]["steps"] if "/cache@" in step.get("uses", "")]
    assert keys == {built}


def test_lint_tests_and_the_fault_tier_run_at_once():
    assert {"lint", "advisories", "rust", "local-aws", "fault"} <= set(JOBS)
    assert all(job.get("needs") in (None, "build") for job in JOBS.values())
    parts = JOBS["fault"]["strategy"]["matrix"]["part"]
    assert parts == list(range(1, len(parts) + 1))
    assert f"make fault PART=${{{{ matrix.part }}}}/{len(parts)}" in [
        step.get("run") for step in JOBS["fault"]["steps"]
    ]


def test_dependabot_looks_at_everything_that_is_pinned():
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    looked_at = {
        (update["package-ecosystem"], folder.strip("/"))
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for ecosystem, names in READS.items():
        found = {path.rpartition("/")[0] for path in kept if path in names or path.rpartition("/")[2] in names}
        folders = {"" if ecosystem in ("github-actions",) else folder for folder in found}
        assert {(ecosystem, folder) for folder in folders} == {one for one in looked_at if one[0] == ecosystem}


def test_the_toolchain_is_new_enough_for_the_crates():
    channel = re.search(r'channel = "([\d.]+)"', (ROOT / "rust-toolchain.toml").read_text())[1]
    least = re.search(r'rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text())[1]
    assert [int(part) for part in channel.split(".")] >= [int(part) for part in least.split(".")]
