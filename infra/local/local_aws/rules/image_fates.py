"""What is to become of images that are still to be made, by a control."""

from .reach import applies, checked
from .timing import IMAGE_FINISH_SECONDS, Span, now

NAMES = ("state", "after", "code", "account", "region", "action", "times")
FAILURE = "Client.InternalError"
#: Nobody waits this long.
FOR_EVER = 10 * 366 * 86400

_images = []


def set_images(entries):
    """What becomes of the images that are made from now on, by CreateImage or CopyImage: `pending` for ever, or so many
    seconds after the call `failed`, or with a snapshot in `error`."""
    for entry in entries:
        if entry.get("state") not in ("pending", "failed", "error"):
            raise ValueError(f"state is pending, failed or error, not {entry.get('state')!r}")
    _images[:] = checked(entries, NAMES)


def images():
    return [dict(entry) for entry in _images]


def meet(image, action):
    """An image that is being made meets its fate, if there is one for it."""
    backend = image.ec2_backend
    facts = {"account": backend.account_id, "region": backend.region_name, "action": action}
    entry = next((one for one in _images if applies(one, facts) and one.get("times", 1) > 0), None)
    if entry is None:
        return
    if "times" in entry:
        entry["times"] -= 1
    at, code = now() + entry.get("after", 0), entry.get("code", FAILURE)
    words = f"{code}: this was asked for"
    match entry["state"]:
        case "pending":
            for snapshot in image.snapshots:
                snapshot.span = Span(snapshot.span.start, snapshot.span.start + FOR_EVER)
        case "failed":
            image.fail(code, words, at)
            for snapshot in image.snapshots:
                snapshot.fail(words, at)
        case "error":
            image.snapshots[-1].fail(words, at)
            image.fail(code, words, at + IMAGE_FINISH_SECONDS)


def forget():
    _images.clear()
