"""Step Functions: moto's engine, with what it lacks. Each repair is a function that says what AWS does."""

from . import (
    choices,
    definitions,
    executions,
    expressions,
    limits,
    looking,
    map_runs,
    maps,
    paths,
    progress,
    redriving,
    seams,
    tasks,
    timeouts,
    tokens,
    tolerances,
    variables,
    waiting,
)


def install(application):
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"]["execute_state_machine"] = True
    seams.give_errors_their_codes()
    expressions.install()
    paths.install()
    variables.install()
    choices.install()
    limits.install()
    progress.install()
    waiting.install()
    timeouts.install()
    maps.install()
    map_runs.install()
    tolerances.install()
    tasks.install(application)
    executions.install()
    looking.install()
    redriving.install()
    tokens.install()
    definitions.install()
