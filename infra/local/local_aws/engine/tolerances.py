"""How many failures a Distributed Map tolerates.

https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

import math

from .seams import evaluation_failed


def install():
    """An expression gives the count or the percentage that it stands for; moto takes the one for the other, and cuts
    percentages."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map import tolerated_failure
    from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

    count = tolerated_failure.ToleratedFailureCountStringJSONata
    percentage = tolerated_failure.ToleratedFailurePercentageStringJSONata
    count._eval_tolerated_failure_count = _number(int, math.inf)
    percentage._eval_tolerated_failure_percentage = _number((int, float), 100)

    def visit_count(self, ctx):
        return count(self.visitString_jsonata(ctx=ctx.string_jsonata()))

    Preprocessor.visitTolerated_failure_count_string_jsonata = visit_count


def _number(kinds, most):
    def evaluate(self, env):
        self.string_jsonata.eval(env=env)
        value = env.stack.pop()
        if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value <= most:
            raise evaluation_failed(env, f"The tolerated failures are {value!r}, no number from 0 to {most}.")
        return value

    return evaluate


def is_too_much(failed, items, count, percentage):
    if not count and not percentage:
        return failed > 0
    return bool(count and failed > count) or bool(percentage and failed * 100 > percentage * items)
