"""Watches a bake: asks Step Functions, EC2 and KMS a few questions a second, and tells what is known as a view."""

import math
import time

from .history import FAILED, RUNNING, WAITING, Steps, copy_step, image_step, receiver, steps
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
        self.open_to, self._real = (), time.monotonic()
        self.progress = dict.fromkeys((OWNER, *RECEIVERS), progress((), sum(VOLUMES)))
        # AWS seconds since the bake began: now, when this round of questions began, when the one before it began.
        self._aws, self._round_began, self._known = 0.0, 0.0, 0.0
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
        self._known = math.inf
        show(self.view())

    def look(self):
        """Asks one question, and the time."""
        question = next(self._questions, None)
        if question is None:
            self._known, self._round_began = self._round_began, self._aws
            self._questions = iter(self._round())
            question = next(self._questions)
        question()
        if not self.over:
            self._aws = self.local.get("/local-aws/clock")["now"] - self.begin

    def _round(self):
        """The questions that can have a new answer at this point of the bake."""
        yield self._ask_execution
        if self.steps["RebootAndCreate"].mark == WAITING:
            return
        if self.progress[OWNER].share < 1:
            yield lambda: self._ask_snapshots(OWNER)
        if self.steps["DeliverToReceivers"].mark == WAITING:
            return
        for account in RECEIVERS:
            yield lambda account=account: self._ask_snapshots(account)
        yield self._ask_children
        yield self._ask_grants

    def _ask_execution(self):
        sfn = self.accounts.client("stepfunctions")
        answer = sfn.describe_execution(executionArn=self.execution)
        self.begin, self.status = answer["startDate"].timestamp(), answer["status"]
        if "stopDate" in answer:
            self._aws = answer["stopDate"].timestamp() - self.begin
        self.steps = steps(history(sfn, self.execution))

    def _ask_children(self):
        for events in child_histories(self.accounts.client("stepfunctions"), self.execution):
            account = receiver(events)
            if account:
                self.children[account] = steps(events)

    def _ask_snapshots(self, account):
        tag = ("bake-id", self.bake) if account == OWNER else ("delivery", f"{self.bake}/{account}/*")
        snapshots = self.accounts.client("ec2", account).describe_snapshots(
            OwnerIds=[account], Filters=[{"Name": f"tag:ami-bakery:{tag[0]}", "Values": [tag[1]]}]
        )["Snapshots"]
        self.progress[account] = progress(snapshots, sum(VOLUMES), self._aws)

    def _ask_grants(self):
        grants = self.accounts.client("kms").list_grants(KeyId=self.world.owner_key)["Grants"]
        grantees = {grant["GranteePrincipal"].split(":")[4] for grant in grants}
        self.open_to = tuple(sorted(grantees & set(RECEIVERS)))

    # -- telling -------------------------------------------------------------------------------------------------------

    def view(self):
        rows = [
            self._row("Plan", "Plan", PLAN_NOTE),
            self._row("RebootAndCreate", "RebootAndCreate", CREATE_NOTE),
            self._timed("golden image", image_step(self.steps), progress=self.progress[OWNER]),
            self._row("Share", "ShareImage", SHARE_NOTE),
            *map(self._receiver, RECEIVERS),
            self._row("StopSharing", "StopSharing", STOP_NOTE),
            self._row("Report", "Report", REPORT_NOTE),
        ]
        return View(self.bake, tuple(rows), self.open_to, self._aws, time.monotonic() - self._real, self._known)

    def _row(self, name, state, note):
        step = self.steps[state]
        return self._timed(name, step, "" if step.mark == WAITING else note)

    def _receiver(self, account):
        child = self.children.get(account, Steps())
        steps = {"GrantKey": child["GrantKey"], "CopyImage": copy_step(child), "RevokeKey": child["RevokeKey"]}
        parts = tuple(self._timed(name, step) for name, step in steps.items())
        marks = {part.mark for part in parts}
        mark = FAILED if FAILED in marks else marks.pop() if len(marks) == 1 else RUNNING
        return Row(account, mark, progress=self.progress[account], parts=parts)

    def _timed(self, name, step, note="", **others):
        began, ended = (None if at is None else at - self.begin for at in (step.began, step.ended))
        return Row(name, step.mark, note, began, ended, **others)


def history(sfn, execution):
    """Every event of an execution."""
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution, includeExecutionData=True)
    return [event for page in pages for event in page["events"]]


def child_histories(sfn, execution):
    """The histories of the executions that the Distributed Map has started."""
    for run in sfn.list_map_runs(executionArn=execution)["mapRuns"]:
        for child in sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"]:
            yield history(sfn, child["executionArn"])
