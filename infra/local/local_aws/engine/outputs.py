"""What a state gives and what it assigns: both of what was before it, and either may fail as the state itself may."""


def install():
    from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    AssignDecl._eval_body = _prepare
    CommonStateField._verify_size_quota = _assign_and(CommonStateField._verify_size_quota)
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


def _assign_and(verify_size_quota):
    """moto calls this one once a state has its output."""

    def verify(self, env, value):
        for name, assigned in env.__dict__.pop("local_aws_assigned", {}).items():
            env.variable_store.set(variable_identifier=name, variable_value=assigned)
        verify_size_quota(self, env=env, value=value)

    return verify


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
