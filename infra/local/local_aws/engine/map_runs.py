"""Distributed Maps: each item is an execution of its own."""

import threading

from ..workers import Worker
from .children import ChildExecution, children
from .limits import fits, too_large
from .seams import failure

#: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
MOST_AT_ONCE = 10_000


def install():
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import ItemReader
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
        DistributedIterationComponent,
    )

    DistributedIterationComponent._eval_body = _evaluate
    ItemReader._eval_body = _read_items(ItemReader._eval_body)


def _evaluate(self, env):
    """A Map Run fails when more of its executions fail than are tolerated, and is aborted with its execution; in moto
    failures do not matter, and a stopped Map Run has succeeded."""
    eval_input = env.stack.pop()
    record = eval_input.map_run_record
    _add_event(env, "MapRunStarted", mapRunStartedEventDetails={"mapRunArn": record.map_run_arn})
    try:
        if eval_input.item_reader:
            eval_input.item_reader.eval(env=env)
        else:
            env.stack.append(eval_input.input_items)
        run = MapRun(env, eval_input, self._get_iteration_program(), env.stack.pop())
        results = run.run()
    except Exception as error:
        details = _error_and_cause(error)
        _add_event(env, "MapRunFailed", mapRunFailedEventDetails=details)
        record.set_stop("FAILED")
        raise
    if not env.is_running():
        _add_event(env, "MapRunAborted")
        record.set_stop("ABORTED")
        return
    env.stack.append(results)
    _add_event(env, "MapRunSucceeded")
    record.set_stop("SUCCEEDED")


def _add_event(env, kind, **details):
    env.event_manager.add_event(context=env.event_history_context, event_type=kind, event_details=details or None)


def _error_and_cause(error):
    pair = error.extract_error_cause_pair() if hasattr(error, "extract_error_cause_pair") else None
    return {name: value for name, value in zip(("error", "cause"), pair or ()) if value}


def _read_items(read):
    """Whatever keeps the items from being read, the error is States.ItemReaderFailed; moto passes on Python's."""
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException

    def read_items(self, env):
        try:
            read(self, env)
        except FailureEventException:
            raise
        except Exception as error:
            raise failure(env, "States.ItemReaderFailed", str(error)) from error

    return read_items


class MapRun:
    """The run of one Distributed Map over its items."""

    def __init__(self, env, eval_input, program, items):
        self._env, self._program, self._items = env, program, items
        self._selector = eval_input.item_selector or eval_input.parameters
        self._record = eval_input.map_run_record
        self._at_once = min(len(items), eval_input.max_concurrency or MOST_AT_ONCE, MOST_AT_ONCE)
        self._tolerated = (eval_input.tolerated_failure_count, eval_input.tolerated_failure_percentage)
        self._lock, self._next, self._ended = threading.Lock(), 0, False
        self._results, self._running = [None] * len(items), set()
        for counter in (self._record.item_counter, self._record.execution_counter):
            counter.total.offset(len(items))
            counter.pending.offset(len(items))

    def run(self):
        """The results, in the order of the items."""
        with self._env._state_mutex:
            self._env._frames.append(self)  # so that the end of the execution reaches the children
            if not self._env.is_running():
                self._ended = True
        workers = [Worker(target=self._work) for _ in range(self._at_once)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self._env.delete_frame(self)
        if self._is_too_much() and self._env.is_running():
            cause = "The specified tolerated failure threshold was exceeded"
            raise failure(self._env, "States.ExceedToleratedFailureThreshold", cause)
        return self._results

    # -- one item after the other ----------------------------------------------------------------------------------

    def _work(self):
        while (index := self._take()) is not None:
            child = self._begin(index)
            child.run(self._program)
            self._count(child.status)
            self._results[index] = child.result()
            with self._lock:
                self._running.discard(child)
            if self._is_too_much():
                self._end()

    def _take(self):
        with self._lock:
            if self._ended or self._next == len(self._items):
                return None
            self._next += 1
            return self._next - 1

    def _begin(self, index):
        value, error = self._input(index)
        child = ChildExecution(self._record, self._env, value)
        children.add(child)
        with self._lock:
            self._running.add(child)
            ended = self._ended
        for counter in (self._record.item_counter, self._record.execution_counter):
            counter.pending.offset(-1)
            counter.running.offset(1)
        child.env.next_state_name = self._program.start_at.start_at_name
        if error:
            child.env.set_error(error)
        elif ended:
            child.stop()
        return child

    def _input(self, index):
        """The input of an item's execution, and the error if there is none."""
        from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException

        item = self._items[index]
        if not self._selector:
            value = item
        else:
            frame = self._env.open_inner_frame()
            state_input = self._env.stack[-1]
            frame.states.context_object.context_object_data["Map"] = {"Item": {"Index": index, "Value": item}}
            frame.states.reset(input_value=state_input)
            frame.stack.append(state_input)
            try:
                self._selector.eval(frame)
                value = frame.stack[-1]
            except FailureEventException as error:
                return item, error.get_execution_failed_event_details()
            finally:
                self._env.delete_frame(frame)
        if not fits(value):
            error = too_large(self._env, "An item was given input")
            return None, error.get_execution_failed_event_details()
        return value, None

    def _count(self, status):
        name = {"SUCCEEDED": "succeeded", "FAILED": "failed", "ABORTED": "aborted", "TIMED_OUT": "timed_out"}[status]
        for counter in (self._record.item_counter, self._record.execution_counter):
            counter.running.offset(-1)
            getattr(counter, name).offset(1)
            if status == "SUCCEEDED":
                counter.results_written.offset(1)

    def _is_too_much(self):
        counts = self._record.execution_counter
        failed = counts.failed.get() + counts.timed_out.get()
        count, percentage = self._tolerated
        if not count and not percentage:
            return failed > 0
        too_many = bool(count) and failed > count
        return too_many or (bool(percentage) and failed * 100 > percentage * len(self._items))

    # -- the end, from outside -------------------------------------------------------------------------------------

    def _end(self, error=None, cause=None):
        with self._lock:
            self._ended = True
            running = list(self._running)
        for child in running:
            child.stop(error, cause)

    def set_stop(self, stop_date=None, cause=None, error=None):
        self._end(error, cause)

    def set_error(self, error):
        self._end()

    def set_timed_out(self):
        self._end()

    def set_ended(self):
        self._end()
