"""Time in the engine is AWS time, and the engine is at work whenever it does not wait."""

import datetime
import random
import threading
import types

from ..clock import clock
from ..timestamps import ClockDatetime
from ..workers import Event, Latch, Worker
from . import progress
from .seams import failure


def install():
    _tell_aws_time()
    _work_in_workers()
    _end_once()
    _limit_the_execution()
    _wait()
    _retry()
    _poll()


def _tell_aws_time():
    """AWS's times are AWS's; moto's are the machine's."""
    from moto.stepfunctions.parser import models
    from moto.stepfunctions.parser.asl.component.state import state
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import map_run_record
    from moto.stepfunctions.parser.asl.eval.event import event_manager
    from moto.stepfunctions.parser.backend import execution

    ours = types.SimpleNamespace(
        datetime=ClockDatetime, timezone=datetime.timezone, timedelta=datetime.timedelta, date=datetime.date
    )
    for module in (models, state, map_run_record, event_manager, execution):
        module.datetime = ours


def _work_in_workers():
    """The engine's threads are at work but for what they wait for, and wait in AWS seconds."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import inline_iteration_component, job
    from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branch_worker, branches_decl
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
    from moto.stepfunctions.parser.asl.eval import environment
    from moto.stepfunctions.parser.asl.eval.callback import callback
    from moto.stepfunctions.parser.backend import execution_worker

    ours = types.SimpleNamespace(Event=Event, Lock=threading.Lock, RLock=threading.RLock, Thread=Worker)
    for module in (inline_iteration_component, job, branch_worker, branches_decl, state_task_service_callback):
        module.threading = ours
    # An environment that has ended never runs again: who looks later must see it, too.
    environment.threading = types.SimpleNamespace(Event=Latch, RLock=threading.RLock)
    execution_worker.Thread = Worker
    callback.Event = Event


def _end_once():
    """How a program has ended stays so; in moto a later error takes the place of a stop."""
    from moto.stepfunctions.parser.asl.eval.environment import Environment

    for name in ("set_error", "set_timed_out"):
        setattr(Environment, name, _while_running(getattr(Environment, name)))


def _while_running(end):
    def ended(self, *arguments, **named):
        with self._state_mutex:
            if self.is_running():
                end(self, *arguments, **named)

    return ended


def _limit_the_execution():
    """An execution's TimeoutSeconds are AWS seconds, and one that is stopped before its first state has a history, too.
    moto gives every program a thread of its own for the time-out."""
    from moto.stepfunctions.parser.asl.component.program.program import Program

    def evaluate(self, env):
        first = progress.begin(env, self)
        if first is None:
            env.set_ended()
            return
        if env.program_state() is None or env.is_running():
            env.next_state_name = first
        seconds = self.timeout_seconds and self.timeout_seconds.timeout_seconds
        alarm = clock.call_in(seconds, env.set_timed_out) if seconds else None
        try:
            self._eval_body(env)
            progress.end(env)
        finally:
            if alarm:
                alarm.cancel()

    Program.eval = evaluate


def _wait():
    """A Wait state waits AWS seconds, until its execution ends at most."""
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import SecondsJSONata
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

    def wait_interval(self, env, wait_seconds):
        env.program_state_event.wait(wait_seconds)

    def seconds_of_expression(self, env):
        """https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html: an integer from 0 to 99999999."""
        self.string_jsonata.eval(env=env)
        seconds = env.stack.pop()
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= 99999999:
            cause = f"Seconds must be a whole number from 0 to 99999999, and is {seconds!r}."
            raise failure(env, "States.QueryEvaluationError", cause)
        return seconds

    def seconds_until(self, env):
        self.string.eval(env=env)
        text = env.stack.pop()
        if not isinstance(text, str) or not self._is_valid_timestamp_pattern(text):
            raise failure(env, "States.Runtime", f"The Timestamp is not one: {text!r}.")
        return datetime.datetime.fromisoformat(text).timestamp() - clock.now()

    WaitFunction._wait_interval = wait_interval
    SecondsJSONata._get_wait_seconds = seconds_of_expression
    Timestamp._get_wait_seconds = seconds_until


def _retry():
    """A retrier waits AWS seconds, until its execution ends at most; moto sleeps, whatever happens."""
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
    from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome

    def evaluate(self, env):
        self.error_equals.eval(env)
        if not env.stack.pop():
            env.stack.append(RetrierOutcome.Skipped)
            return
        self.max_attempts.eval(env=env)
        if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
            env.stack.append(RetrierOutcome.Failed)
            return
        for part in (self.interval_seconds, self.backoff_rate, self.max_delay_seconds, self.jitter_strategy):
            part.eval(env=env)
        env.program_state_event.wait(env.stack.pop())
        env.stack.append(RetrierOutcome.Executed)

    retrier_decl.RetrierDecl._eval_body = evaluate


def _poll():
    """What `.sync` waits for is looked at in AWS time."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback

    def sleep(seconds):
        # Not all in step, and not as often as moto does: at 60 seconds a second that would be all that happens.
        clock.sleep(random.uniform(2, 4))

    state_task_service_callback.time = types.SimpleNamespace(sleep=sleep)
