"""Time in the engine is AWS time, and the engine is at work whenever it does not wait."""

import datetime
import threading
import types

from ..clock import clock


class ClockDatetime(datetime.datetime):
    """`datetime.datetime`, whose now is the clock's."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(clock.now(), tz)


class WholeSeconds(ClockDatetime):
    """For a Wait's Timestamp, which is in UTC: moto cuts off what is left of a second, and would end too early."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(int(clock.now()), datetime.UTC).replace(tzinfo=None)


def install():
    _tell_aws_time()
    _wait()
    _retry()
    _time_out()
    _work()


def _tell_aws_time():
    """AWS's times are AWS's; moto's are the machine's."""
    from moto.stepfunctions.parser import models
    from moto.stepfunctions.parser.asl.component.state import state
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import map_run_record
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function import timestamp
    from moto.stepfunctions.parser.asl.eval.event import event_manager
    from moto.stepfunctions.parser.backend import execution

    ours = types.SimpleNamespace(
        datetime=ClockDatetime, timezone=datetime.timezone, timedelta=datetime.timedelta, date=datetime.date
    )
    for module in (models, state, map_run_record, event_manager, execution):
        module.datetime = ours
    timestamp.datetime = types.SimpleNamespace(datetime=WholeSeconds)


def _wait():
    """A Wait state waits AWS seconds, and ends at once when its execution is stopped."""
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

    def wait_interval(self, env, wait_seconds):
        until = clock.now() + wait_seconds
        stirred = env.program_state_event

        def stir():
            stirred.set()
            stirred.clear()

        alarm = clock.call_in(wait_seconds, stir)
        with clock.waiting():
            while clock.now() < until and env.is_running():
                # The event is only touched, so a touch just before the wait is missed: look again now and then.
                stirred.wait(0.5)
        alarm.cancel()

    WaitFunction._wait_interval = wait_interval


def _retry():
    """A retrier waits AWS seconds."""
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

    def sleep(seconds):
        with clock.waiting():
            clock.sleep(seconds)

    retrier_decl.time = types.SimpleNamespace(sleep=sleep)


class ClockEvent(threading.Event):
    """An event whose time-out counts in AWS seconds."""

    def wait(self, timeout=None):
        if timeout is None or timeout > 10**8:
            return super().wait()
        return self.is_set() or clock.wait_for(self, timeout)


class WaitingEvent(ClockEvent):
    """An event that its task does nothing but wait for."""

    def wait(self, timeout=None):
        with clock.waiting():
            return super().wait(timeout)


class ClockThread(threading.Thread):
    """A thread that is awaited in AWS seconds."""

    def run(self):
        try:
            super().run()
        finally:
            self._ended.set()

    def start(self):
        self._ended = ClockEvent()
        super().start()

    def join(self, timeout=None):
        if self._ended.wait(timeout):
            super().join()


def _time_out():
    """TimeoutSeconds, of a state and of a machine, and HeartbeatSeconds are AWS seconds."""
    from moto.stepfunctions.parser.asl.component.program import program
    from moto.stepfunctions.parser.asl.component.state.exec import execute_state
    from moto.stepfunctions.parser.asl.eval.callback import callback

    execute_state.threading = types.SimpleNamespace(Event=ClockEvent, Thread=threading.Thread)
    callback.Event = WaitingEvent
    program.threading = types.SimpleNamespace(Thread=ClockThread)


def _work():
    """An execution is at work from its start to its end, but for what it waits for: its Map and Parallel workers are at
    work in its place."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iteration_worker import IterationWorker
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
        distributed_item_processor_worker as distributed,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobPool
    from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branch_worker import BranchWorker
    from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branches_decl import BranchWorkerPool
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    ExecutionWorker._execution_logic = _busy(ExecutionWorker._execution_logic)
    IterationWorker.eval = _busy(IterationWorker.eval)
    distributed.DistributedItemProcessorWorker.eval = _busy(distributed.DistributedItemProcessorWorker.eval)
    BranchWorker._thread_routine = _busy(BranchWorker._thread_routine)
    JobPool.await_jobs = _waiting(JobPool.await_jobs)
    BranchWorkerPool.wait = _waiting(BranchWorkerPool.wait)


def _busy(method):
    def busy(self):
        with clock.busy():
            return method(self)

    return busy


def _waiting(method):
    def waiting(self):
        with clock.waiting():
            return method(self)

    return waiting
