"""What a state gives and what it assigns: both of what was before it, and either may fail as the state itself may."""


def install():
    from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
    from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    AssignDecl._eval_body = _prepare
    for kind in (CommonStateField, StateChoice):
        kind._set_next = _assign_and(kind._set_next)
    ExecutionState._evaluate_with_timeout = _with_output(ExecutionState._evaluate_with_timeout)
    ExecutionState._eval_state_output = _output_ready(ExecutionState._eval_state_output)


def _prepare(self, env):
    """Output does not see yet what Assign assigns; in moto it does.

    https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
    """
    assigned = {}
    for binding in self.declaration_bindings:
        binding.eval(env=env)
        assigned.update(env.stack.pop())
    env.local_aws_assigned = assigned


def _assign_and(set_next):
    """What follows is the next state, which sees what was assigned."""

    def assign(self, env):
        for name, value in env.__dict__.pop("local_aws_assigned", {}).items():
            env.variable_store.set(variable_identifier=name, variable_value=value)
        set_next(self, env)

    return assign


def _with_output(evaluate_with_timeout):
    """An Output that fails can be retried and caught; in moto it is evaluated too late for that."""

    def evaluate(self, env):
        try:
            evaluate_with_timeout(self, env)
            if self.output:
                self.output.jsonata_template_value.eval(env=env)
        except Exception:
            env.__dict__.pop("local_aws_assigned", None)
            raise

    return evaluate


def _output_ready(eval_state_output):
    from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome

    def ready(self, env):
        if self.output and not isinstance(env.stack[-1], CatchOutcome):
            env.states.reset(input_value=env.stack.pop())
        else:
            eval_state_output(self, env)

    return ready
