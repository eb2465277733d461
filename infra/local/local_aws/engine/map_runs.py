"""Distributed Maps: each item is an execution of its own."""

from .map_run import MapRun
from .seams import failure


def install():
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import ItemReader
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
        DistributedIterationComponent,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record import (
        MapRunRecord,
    )

    DistributedIterationComponent._eval_body = _evaluate
    MapRunRecord.redrive_count, MapRunRecord.redrive_date = 0, None
    MapRunRecord.describe = _with_redrives(MapRunRecord.describe)
    ItemReader._eval_body = _read_items(ItemReader._eval_body)


def _evaluate(self, env):
    """A Map Run fails when more of its executions fail than are tolerated, and is aborted with its execution; in moto
    failures do not matter, and a stopped Map Run has succeeded."""
    eval_input = env.stack.pop()
    record, run = eval_input.map_run_record, env.progress.map_run
    if run:
        record = run.redrive(env, record)
        about = {"mapRunArn": record.map_run_arn, "redriveCount": record.redrive_count}
        _add_event(env, "MapRunRedriven", mapRunRedrivenEventDetails=about)
    else:
        _add_event(env, "MapRunStarted", mapRunStartedEventDetails={"mapRunArn": record.map_run_arn})
    try:
        _ask_the_role(env, run)
        if not run:
            if eval_input.item_reader:
                eval_input.item_reader.eval(env=env)
            else:
                env.stack.append(eval_input.input_items)
            run = env.progress.map_run = MapRun(env, eval_input, self._get_iteration_program(), env.stack.pop())
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


def _ask_the_role(env, run):
    """AWS starts and redrives the executions of a Map Run in the name of the machine's role; moto asks nobody."""
    from ..rules import map_runs
    from ..rules.switches import switch

    role = env.aws_execution_details.role_arn
    if run:
        refusals = [map_runs.redrive_refusal(role, child.execution_arn) for child in run.redriven()]
    else:
        machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
        refusals = [map_runs.start_refusal(role, machine.partition("/")[0])]
    for refusal in filter(None, refusals):
        raise failure(env, switch("map-run-refused-error"), refusal)


def _with_redrives(describe):
    """A Map Run tells how often it was redriven; moto knows no redrives."""

    def described(self):
        found = {**describe(self), "redriveCount": self.redrive_count}
        return found | ({"redriveDate": self.redrive_date} if self.redrive_date else {})

    return described


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
