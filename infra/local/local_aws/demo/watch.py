"""Watches a bake: asks Step Functions, EC2 and KMS a few questions a second, and tells what is known as a view."""

import time
from contextlib import suppress

from botocore.exceptions import ClientError

from .history import DONE, FAILED, RUNNING, WAITING, Steps, receiver, steps
from .view import Row, View, progress
from .world import OWNER, RECEIVERS, VOLUMES

# Each question makes the local AWS's clock run slowly for as long as it takes to answer it.
SECONDS_BETWEEN_QUESTIONS = 0.25
SECONDS_BETWEEN_FRAMES = 0.1
# A bake that takes longer is stuck: it takes well under a minute.
LONGEST_SECONDS = 900

# What a step did, short enough for the narrowest terminal.
PLAN_NOTE = "request, keys and receivers checked"
CREATE_NOTE = "image requested, instance at rest"
SHARE_NOTE = f"image and {len(VOLUMES)} snapshots, to {len(RECEIVERS)} accounts"
STOP_NOTE = "permissions taken back"
REPORT_NOTE = "outcome written"


class Watch:
    """What is known of one execution. `look()` asks the next question, `view()` tells."""

    def __init__(self, local, accounts, execution, world):
        self.local, self.accounts, self.execution, self.world = local, accounts, execution, world
        self.bake = execution.rsplit(":", 1)[1]
        self.status, self.begin, self.steps, self.children = "RUNNING", None, Steps(), {}
        self.snapshots, self.open_to, self._real = {}, (), time.monotonic()
        self._aws, self._speed, self._read = 0.0, 0.0, self._real
        self._questions = iter(())

    @property
    def over(self):
        return self.status != "RUNNING"

    # -- asking --------------------------------------------------------------------------------------------------------

    def follow(self, show):
        """Looks and shows until the execution is over, or has taken far too long."""
        asked = 0.0
        while not self.over and time.monotonic() - self._real < LONGEST_SECONDS:
            if time.monotonic() - asked >= SECONDS_BETWEEN_QUESTIONS:
                self.look()
                asked = time.monotonic()
            show(self.view())
            time.sleep(SECONDS_BETWEEN_FRAMES)
        for question in self._round():  # the end, from every side
            question()
        show(self.view())

    def look(self):
        """Asks one question, and the time."""
        question = next(self._questions, None)
        if question is None:
            self._questions = iter(self._round())
            question = next(self._questions)
        question()
        clock = self.local.get("/local-aws/clock")
        self._aws, self._speed, self._read = clock["now"], clock["speed"], time.monotonic()

    def _round(self):
        """The questions that can have a new answer at this point of the bake."""
        yield self._ask_execution
        if self._step("RebootAndCreate").mark == WAITING:
            return
        if self._step("DeliverToRegions").mark == WAITING or self.over:
            yield lambda: self._ask_snapshots(OWNER)
        if self._step("DeliverToReceivers").mark == WAITING:
            return
        for account in RECEIVERS:
            yield lambda account=account: self._ask_snapshots(account)
        yield self._ask_children
        yield self._ask_grants

    def _step(self, name):
        return self.steps[name]

    def _ask_execution(self):
        sfn = self.accounts.client("stepfunctions")
        self.steps = steps(history(sfn, self.execution))
        answer = sfn.describe_execution(executionArn=self.execution)
        self.begin = answer["startDate"].timestamp()
        self.status = answer["status"]

    def _ask_children(self):
        for events in child_histories(self.accounts.client("stepfunctions"), self.execution):
            account = receiver(events)
            if account:
                self.children[account] = steps(events)

    def _ask_snapshots(self, account):
        tag = ("bake-id", self.bake) if account == OWNER else ("delivery", f"{self.bake}/{account}/*")
        self.snapshots[account] = self.accounts.client("ec2", account).describe_snapshots(
            OwnerIds=[account], Filters=[{"Name": f"tag:ami-bakery:{tag[0]}", "Values": [tag[1]]}]
        )["Snapshots"]

    def _ask_grants(self):
        grants = self.accounts.client("kms").list_grants(KeyId=self.world.owner_key)["Grants"]
        grantees = {grant["GranteePrincipal"].split(":")[4] for grant in grants}
        self.open_to = tuple(sorted(grantees & set(RECEIVERS)))

    # -- telling -------------------------------------------------------------------------------------------------------

    def view(self):
        rows = [
            self._row("Plan", "Plan", PLAN_NOTE),
            self._row("RebootAndCreate", "RebootAndCreate", CREATE_NOTE),
            self._golden_image(),
            self._row("Share", "ShareImage", SHARE_NOTE),
            *map(self._receiver, RECEIVERS),
            self._row("StopSharing", "StopSharing", STOP_NOTE),
            self._row("Report", "Report", REPORT_NOTE),
        ]
        now = time.monotonic()
        aws = self._aws + (now - self._read) * self._speed
        passed = max(0.0, aws - self.begin) if self.begin and self._aws else 0.0
        return View(self.bake, tuple(rows), self.open_to, passed, now - self._real)

    def _row(self, name, state, note):
        step = self._step(state)
        return Row(name, step.mark, "" if step.mark == WAITING else note, self._since(step))

    def _since(self, step):
        return step.at - self.begin if step.at and self.begin else None

    def _progress(self, account):
        return progress(self.snapshots.get(account, ()), sum(VOLUMES))

    def _golden_image(self):
        requested, delivering = self._step("RebootAndCreate"), self._step("DeliverToRegions")
        mark, step = {DONE: (RUNNING, requested)}.get(requested.mark, (WAITING, None))
        if delivering.mark != WAITING:
            mark, step = DONE, delivering
        elif self._step("LookAtImage").mark == FAILED:
            mark, step = FAILED, self._step("LookAtImage")
        return Row("golden image", mark, "", self._since(step) if step else None, self._progress(OWNER))

    def _receiver(self, account):
        child = self.children.get(account, Steps())
        copying, looked, closing = child["CopyImage"], child["LookAtCopy"], child["RevokeKey"]
        if copying.mark == DONE and closing.mark == WAITING:
            copying = looked if looked.mark == FAILED else type(copying)(RUNNING, copying.at)
        parts = [("GrantKey", child["GrantKey"]), ("CopyImage", copying), ("RevokeKey", closing)]
        rows = tuple(Row(name, step.mark, at=self._since(step)) for name, step in parts)
        marks = {row.mark for row in rows}
        mark = FAILED if FAILED in marks else marks.pop() if len(marks) == 1 else RUNNING
        return Row(account, mark, "", None, self._progress(account), rows)


def history(sfn, execution):
    """Every event of an execution."""
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution, includeExecutionData=True)
    return [event for page in pages for event in page["events"]]


def child_histories(sfn, execution):
    """The histories of the executions that the Distributed Map has started."""
    for run in sfn.list_map_runs(executionArn=execution)["mapRuns"]:
        with suppress(ClientError):  # a Map Run that is only beginning may not be known by its ARN yet
            for child in sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"]:
                yield history(sfn, child["executionArn"])
