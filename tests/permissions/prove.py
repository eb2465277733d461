"""Proves that each permission is missed: takes every action of every statement away, one at a time, from freshly
deployed roles, and runs a scenario that needed it, which must fail. `make prove-permissions`

`prove.py --functions target/debug [--only ROLE …]` prints a line for each, and fails if one was not missed.
"""

import argparse
import itertools
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "infra/local"), str(ROOT / "infra/local/tests")]

import allowed  # noqa: E402
import scenarios  # noqa: E402
from test_needed import NOT_SEEN  # noqa: E402
from world import running  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=Path, default=ROOT / "target/debug")
    parser.add_argument("--only", nargs="*", help="the roles that are looked at")
    parser.add_argument("--at-once", type=int, default=2)
    arguments = parser.parse_args()
    permissions, needed_by = look(arguments.functions)
    wanted = [one for one in permissions if not arguments.only or one[0] in arguments.only]
    # A process for each: boto3 keeps its connections.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.at_once, spawn, max_tasks_per_child=1) as pool:
        answers = pool.map(missed_by, itertools.repeat(arguments.functions), wanted, map(needed_by.get, wanted))
        found = [tell(permission, answer) for permission, answer in zip(wanted, answers, strict=True)]
    print(f"{len(found)} permissions, {found.count(False)} of them not missed")
    sys.exit(not all(found))


def look(functions):
    """Every permission, and the scenarios that need it, the shortest first."""
    needed_by = {}
    with tempfile.TemporaryDirectory() as folder, running(folder, functions) as world:
        listed = [(role, sid, one) for role, sid, actions, _ in allowed.everything(world) for one in actions]
        for scenario in scenarios.ALL:
            world.server.own("DELETE", "needed")
            began = time.monotonic()
            scenario(world)
            for one in allowed.needed(world):
                needed_by.setdefault(one, []).append((time.monotonic() - began, scenario.__name__))
    permissions = [one for one in listed if one[1] not in NOT_SEEN]
    return permissions, {one: [name for _, name in sorted(needed_by.get(one, ()))] for one in permissions}


def missed_by(functions, permission, names):
    """The scenario that fails without the permission, and how; None if none does."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder, running(folder, functions) as world:
            allowed.take_away(world, *permission)
            try:
                getattr(scenarios, name)(world)
            except Exception as error:
                return name, " ".join(str(error).split())
    return None


def tell(permission, answer):
    role, sid, action = permission
    name, error = answer or ("NOT MISSED", "")
    print(f"{role:28} {sid:28} {action:38} {name:32} {error[:160]}", flush=True)
    return answer is not None


if __name__ == "__main__":
    main()
