"""Choices, where moto's differ."""

from .seams import failure


def install():
    from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice

    StateChoice._eval_state = _evaluate
    StateChoice._eval_state_output = _output


def _evaluate(self, env):
    """Without a rule that matches and without Default, the error is States.NoChoiceMatched; moto's has no such name."""
    for rule in self.choices_decl.rules:
        rule.eval(env)
        if env.stack.pop() is True:
            env.stack.append(rule)
            return
    if self.default_state is None:
        cause = f"None of the Choices of '{self.name}' matched, and it has no Default."
        raise failure(env, "States.NoChoiceMatched", cause)
    env.stack.append(None)


def _output(self, env):
    """A rule that matched has its own Assign and Output; only Default has the state's. In moto a rule that leads to
    the same state as Default has both."""
    rule = env.stack.pop()
    if rule is None:
        if self.assign_decl:
            self.assign_decl.eval(env=env)
        if self.output:
            self.output.eval(env=env)
    if self._is_language_query_jsonpath():
        if self.output_path:
            self.output_path.eval(env=env)
        else:
            env.states.reset(input_value=env.stack.pop())
    env.next_state_name = self.default_state.state_name if rule is None else rule.next_stmt.name
