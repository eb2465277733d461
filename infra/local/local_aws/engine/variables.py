"""Variables: when they get their values, and how they are told."""

import json

from .limits import fits, too_large

#: Where an environment keeps what a state assigns until the state is left. It is empty at the beginning of each state.
PENDING = "local_aws.assigned"


def install():
    from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
    from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

    AssignDecl._eval_body = _assign_later
    CommonStateField._get_state_exited_event_details = _assign_now(CommonStateField._get_state_exited_event_details)
    VariableStore.get_assigned_variables = _assigned_as_json


def _assign_later(self, env):
    """A state sees the values that variables had when it was entered, its Output too; moto assigns before the Output.
    What a state assigns is limited."""
    values = {}
    for binding in self.declaration_bindings:
        binding.eval(env=env)
        values.update(env.stack.pop())
    if not fits(values):
        raise too_large(env, f"The state/task '{env.next_state_name}' assigned variables")
    env.heap[PENDING] = values


def _assign_now(details):
    def left(self, env):
        for name, value in env.heap.pop(PENDING, {}).items():
            env.variable_store.set(variable_identifier=name, variable_value=value)
        return details(self, env)

    return left


def forget(env):
    """A state that is tried again, or whose error is caught, has assigned nothing."""
    env.heap.pop(PENDING, None)


def _assigned_as_json(self):
    """The history has the JSON of what was assigned; moto's of texts is none when they hold quotation marks."""
    return {name: json.dumps(self.get(name), separators=(",", ":")) for name in self._declaration_tracing}
