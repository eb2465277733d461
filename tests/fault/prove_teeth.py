"""Breaks the bake in four ways, one after the other, and fails if the fault tier stays green: `make prove-teeth`.

Each way is a change of the sources, put back at the end whatever happens.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: What is taken away, in which file, by which change, and the test and state that must notice.
TEETH = [
    (
        "RevokeKey removed from one Catch",
        "statemachines/bake.asl.json",
        lambda text: after(text, '"GrantKey": {', '"Next": "RevokeKey"', '"Next": "RecordFailure"'),
        "out_of_memory",
        "GrantKey",
    ),
    (
        "the grant's name made random",
        "functions/grant-key/src/lib.rs",
        lambda text: once(
            text,
            "grants.push(clients.grants.create(&wanted).await?);",
            """let mut wanted = wanted;
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        wanted.name.push_str(&format!("/{}", now.as_nanos()));
        grants.push(clients.grants.create(&wanted).await?);""",
        ),
        "the_effect_with_the_answer_lost|the_effect_twice",
        "GrantKey",
    ),
    (
        "the sweep switched off",
        "infra/template.yaml",
        lambda text: once(
            once(
                text,
                "      ScheduleExpression: rate(15 minutes)",
                "      State: DISABLED\n      ScheduleExpression: rate(15 minutes)",
            ),
            "      Description: Sweeps when a bake has ended, in whatever way.",
            "      State: DISABLED\n      Description: Sweeps when a bake has ended, in whatever way.",
        ),
        "an_abort_when_the_effect_is_done",
        "GrantKey",
    ),
    (
        "adoption on Duplicate removed",
        "functions/reboot-and-create/src/lib.rs",
        lambda text: re.sub(r'error.is\("InvalidAMIName.Duplicate"\)', 'error.is("NoSuchCode")', text),
        "the_effect_twice|a_call_whose_answer_is_lost",
        "RebootAndCreate",
    ),
]


def once(text, old, new):
    assert old in text, f"the sources have changed: {old}"
    return text.replace(old, new, 1)


def after(text, place, old, new):
    """The first `old` after a place is replaced."""
    at = text.index(place)
    return text[:at] + once(text[at:], old, new)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nextest", required=True)
    parser.add_argument("--only", default="", help="those whose name contains this")
    arguments = parser.parse_args()
    toothless = [
        name for name, *tooth in TEETH if arguments.only in name and not bites(arguments.nextest, name, *tooth)
    ]
    sys.exit(f"not noticed: {', '.join(toothless)}" if toothless else None)


def bites(nextest, name, path, change, tests, state):
    file = ROOT / path
    text = file.read_text()
    changed = change(text)
    assert changed != text, f"nothing to change in {path}"
    file.write_text(changed)
    try:
        subprocess.run(["cargo", "build", "--quiet", "--workspace", "--all-targets"], cwd=ROOT, check=True)
        ask = [
            nextest,
            "nextest",
            "run",
            "--workspace",
            "--ignore-default-filter",
            "-E",
            f"binary(fault) and test(/{tests}/)",
        ]
        ran = subprocess.run(ask, cwd=ROOT, env=os.environ | {"FAULT_STATE": state}, capture_output=True, text=True)
    finally:
        file.write_text(text)
    # Noticed by a test that ran to its end, not by what did not build.
    said = [line.strip() for line in ran.stdout.splitlines() + ran.stderr.splitlines() if f"{state}, " in line]
    print(f"{name}: {'noticed' if ran.returncode and said else 'NOT NOTICED'}", *said[:3], sep="\n  ", flush=True)
    return bool(ran.returncode and said)


if __name__ == "__main__":
    main()
