"""Step Functions: moto's engine, with what it lacks. Each repair is a function that says what AWS does."""

from . import definitions, executions, expressions, maps, outputs, tasks, waiting


def install(endpoint):
    from moto.core.config import default_user_config

    default_user_config["stepfunctions"]["execute_state_machine"] = True
    expressions.install()
    outputs.install()
    waiting.install()
    maps.install()
    tasks.install(endpoint)
    executions.install()
    definitions.install()
