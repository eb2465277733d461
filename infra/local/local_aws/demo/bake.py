"""Runs the demo from its beginning to its exit status."""

import datetime
import signal
import sys
import time

from botocore.exceptions import BotoCoreError, ClientError

from .check import read_back, shortcomings
from .display import display
from .local import LocalAws, NotStarted
from .summary import summary
from .watch import Watch
from .world import OWNER, OWNER_ALIAS, RECEIVERS, VOLUMES, Accounts, forget_environment, make_world, start_bake


def run(arguments):
    """Bakes an image with the functions in `arguments.functions`; what is written goes to `arguments.dir`.

    The exit status is 0 only if everything was as it should be.
    """
    forget_environment()
    # So that the cursor is back and the local AWS ends when someone ends us, or the terminal goes away.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with display() as shown, LocalAws(arguments.functions, arguments.dir or "target/local-aws/demo") as local:
        try:
            return _bake(shown, local)
        except NotStarted as why:
            shown.note(("  ✗ ", "failed"), f"The local AWS did not start: {why}")
        except (BotoCoreError, ClientError, OSError) as why:
            shown.note(("  ✗ ", "failed"), f"The local AWS gave no good answer: {why}")
            shown.note(f"    Its log is {local.log}.")
        except KeyboardInterrupt:
            shown.note("  Stopped; ending the local AWS.")
            return 130
        return 1


def _bake(shown, local):
    for _ in local.ready():
        shown.wait("starting a local AWS and deploying infra/template.yaml")
    shown.note(("  ✓ ", "done"), f"a local AWS at {local.endpoint}")
    shown.note((f"    its log is {local.log}", "dim"))
    shown.wait("making an instance, and a key in each account")
    accounts = Accounts(local.endpoint)
    world = make_world(accounts)
    sizes = ", ".join(map(str, VOLUMES))
    shown.note(("  ✓ ", "done"), f"owner {OWNER} with the instance {world.instance_id}")
    shown.note((f"    volumes of {sizes} GiB, encrypted under {OWNER_ALIAS}", "dim"))
    shown.note(("  ✓ ", "done"), f"receivers {' and '.join(RECEIVERS)}, each with a key of its own")
    shown.note("")

    name = f"web-{datetime.datetime.now():%Y-%m-%d-%H%M}"
    watch = Watch(local, accounts, start_bake(accounts, world.instance_id, name), world)
    begin = time.monotonic()
    watch.follow(shown.show)
    took = time.monotonic() - begin
    shown.done(watch.view())

    found = read_back(local, accounts, watch.execution, world)
    wrong = shortcomings(found)
    for line in summary(found, wrong, took):
        shown.note(*line)
    return 1 if wrong else 0
