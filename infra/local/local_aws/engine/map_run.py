"""The run of a Distributed Map over its items."""

import threading

from ..workers import Worker
from .children import ChildExecution, children, now
from .limits import fits, too_large
from .seams import failure
from .tolerances import is_too_much

#: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
MOST_AT_ONCE = 10_000


class MapRun:
    """The run of one Distributed Map over its items."""

    def __init__(self, env, eval_input, program, items):
        self._env, self._program, self._items = env, program, items
        self._selector = eval_input.item_selector or eval_input.parameters
        self._record = eval_input.map_run_record
        self._at_once = min(len(items), eval_input.max_concurrency or MOST_AT_ONCE, MOST_AT_ONCE)
        self._tolerated = (eval_input.tolerated_failure_count, eval_input.tolerated_failure_percentage)
        self._lock, self._ended = threading.Lock(), False
        self._todo, self._children, self._running = list(range(len(items))), {}, set()
        for counter in self._counters():
            counter.total.offset(len(items))
            counter.pending.offset(len(items))

    def _counters(self):
        return self._record.item_counter, self._record.execution_counter

    def redrive(self, env, record):
        """The same Map Run, with those of its executions that have not succeeded, goes on in the place of a new one.

        https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
        """
        env.map_run_record_pool_manager._pool.pop(record.map_run_arn)
        self._env, self._ended = env, False
        self._todo = [at for at in range(len(self._items)) if not self._has_succeeded(at)]
        for counter in self._counters():
            counter.pending.offset(len(self._todo) - counter.pending.get())
            for ended in (counter.failed, counter.timed_out, counter.aborted):
                ended.offset(-ended.get())
        self._record.redrive_count, self._record.redrive_date = self._record.redrive_count + 1, now()
        self._record.status, self._record.stop_date = "RUNNING", None
        return self._record

    def redriven(self):
        """The executions that are redriven, not those that are only begun now."""
        return [self._children[at] for at in self._todo if at in self._children]

    def _has_succeeded(self, at):
        return at in self._children and self._children[at].status == "SUCCEEDED"

    def run(self):
        """The results, in the order of the items."""
        with self._env._state_mutex:
            self._env._frames.append(self)  # so that the end of the execution reaches the children
            if not self._env.is_running():
                self._ended = True
        workers = [Worker(target=self._work) for _ in range(min(self._at_once, len(self._todo)))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self._env.delete_frame(self)
        if self._is_too_much() and self._env.is_running():
            cause = "The specified tolerated failure threshold was exceeded"
            raise failure(self._env, "States.ExceedToleratedFailureThreshold", cause)
        return [self._children[at].result() for at in range(len(self._items))] if self._env.is_running() else []

    # -- one item after the other ----------------------------------------------------------------------------------

    def _work(self):
        while (index := self._take()) is not None:
            child = self._begin(index)
            child.run(self._program)
            self._count(child.status)
            with self._lock:
                self._running.discard(child)
            if self._is_too_much():
                self._end()

    def _take(self):
        with self._lock:
            return None if self._ended or not self._todo else self._todo.pop(0)

    def _begin(self, index):
        child, error = self._children.get(index), None
        if not child or not child.env.progress.state:  # it has not begun
            value, error = self._input(index)
            child = self._children[index] = child or ChildExecution(self._record, self._env, value, index)
            child.input = value
            children.add(child)
        if child.status != "RUNNING":
            child.redrive(self._env)
        with self._lock:
            self._running.add(child)
            ended = self._ended
        for counter in self._counters():
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
        for counter in self._counters():
            counter.running.offset(-1)
            getattr(counter, name).offset(1)
            if status == "SUCCEEDED":
                counter.results_written.offset(1)

    def _is_too_much(self):
        counts = self._record.execution_counter
        failed = counts.failed.get() + counts.timed_out.get()
        return is_too_much(failed, len(self._items), *self._tolerated)

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
