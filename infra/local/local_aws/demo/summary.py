"""The summary of the demo: what each account has now, what is left behind, and what the bake took."""

import textwrap

from .history import DONE, FAILED
from .view import duration
from .world import OWNER_ALIAS, RECEIVERS

LABEL_WIDTH = 14
COLUMN_WIDTH = 23


def summary(found, wrong, real_seconds):
    """The lines of the summary, as (text, style) pieces."""
    return [
        [("  Read back from every account, not from what the bake says of itself:", "dim")],
        [],
        *_deliveries(found),
        [],
        *_owner(found),
        [],
        *_cost(found, real_seconds),
        [],
        *_verdict(wrong),
    ]


def _deliveries(found):
    """A column for each delivery: its values are too long to stand side by side."""
    images = [image for account in RECEIVERS for image in found.deliveries.get(account, ())]
    rows = {
        "Account": [image.account for image in images],
        "Region": [image.region for image in images],
        "Image": [image.image_id for image in images],
        "State": [image.state for image in images],
        "Snapshots": [_volumes(image.sizes) for image in images],
        "Encrypted by": [image.key_name for image in images],
        "Key's owner": [image.keys[0].split(":")[4] if image.keys and image.keys[0] else "" for image in images],
        "Image's owner": [image.owner for image in images],
    }
    if not images:
        return [_labelled("Deliveries", "none", FAILED)]
    return [
        _labelled(
            name, "".join(value.ljust(COLUMN_WIDTH) for value in values).rstrip(), "bold" if name == "Account" else ""
        )
        for name, values in rows.items()
    ]


def _volumes(sizes):
    return f"{len(sizes)}: {', '.join(map(str, sizes))} GiB" if sizes else "none"


def _owner(found):
    golden = [
        _labelled("Golden image", f"{image.image_id}, {image.state}, {_volumes(image.sizes)}") for image in found.golden
    ] or [_labelled("Golden image", "none", FAILED)]
    left = {
        f"grants on {OWNER_ALIAS}": found.grants,
        "launch permissions": found.launch_permissions,
        "snapshot permissions": found.snapshot_permissions,
    }
    lines = [(f"{count} {what}", FAILED if count else DONE) for what, count in left.items()]
    return [
        *golden,
        *(_labelled("Left behind" if not number else "", *line) for number, line in enumerate(lines)),
    ]


def _cost(found, real_seconds):
    times = f"{duration(found.aws_seconds)} of AWS time, {duration(real_seconds)} here"
    work = f"{found.calls} API calls, {found.transitions} state transitions"
    return [_labelled("It took", times), _labelled("", work)]


def _verdict(wrong):
    if not wrong:
        return [[("  ✓ ", DONE), ("Everything is as it should be.", "bold")]]
    lines = (
        line
        for sentence in wrong
        for line in textwrap.wrap(sentence, 78, initial_indent="    - ", subsequent_indent="      ")
    )
    return [[("  ✗ ", FAILED), ("Not everything is as it should be:", "bold")], *([(line, "")] for line in lines)]


def _labelled(label, text, style=""):
    return [(f"  {label:<{LABEL_WIDTH}}", "dim"), (text, style)]
