"""Definitions: how they are read, and how CloudFormation makes machines of them."""

import functools
import json
import re

_WHOLE_PERCENTAGE = re.compile(r'("ToleratedFailurePercentage"\s*:\s*\d+)(?![\d.])')


def install():
    from moto.stepfunctions import models
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
    from moto.stepfunctions.parser.asl.parse import preprocessor
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    preprocessor.Preprocessor._inner_string_of = staticmethod(_text)
    preprocessor.from_string_literal = _text
    AmazonStateLanguageParser.parse = staticmethod(_parsed_once(AmazonStateLanguageParser.parse))
    EvalComponent.heap_key = property(_key_of_a_shared_component)
    EvalComponent._log_exception = EvalComponent._log_failure_event_exception = _say_nothing
    _let_cloudformation_make_machines_that_run(models, stepfunctions_parser_backends)
    for name, position in (("create_from_cloudformation_json", 1), ("update_from_cloudformation_json", 2)):
        original = getattr(models.StateMachine, name).__func__
        setattr(models.StateMachine, name, classmethod(_substituted(original, position)))


def _text(parser_rule_context):
    """A definition's texts are JSON's; moto leaves some of them with their backslashes, and takes others for Python's."""
    text = parser_rule_context.getText()
    if text == "null":
        return None
    return json.loads(text) if text.startswith('"') else text


def _parsed_once(parse):
    """moto parses a definition each time that it is started, which takes seconds; nothing in it changes while it runs.

    And a whole number is as good a percentage as any; moto's grammar wants a fraction.
    """

    @functools.lru_cache(maxsize=64)
    def parsed(definition):
        program, _ = parse(_WHOLE_PERCENTAGE.sub(r"\1.0", definition))
        return program, None  # the syntax tree is large, and nobody asks for it

    return parsed


def _key_of_a_shared_component(self):
    """Under which a component keeps its counts in the heap of an execution. moto's makes it up at the first use, and
    threads that share the component can make up two."""
    return id(self)


def _say_nothing(self, *arguments, **named):
    """What fails is in the history. moto also logs it, with the text of all of the definition, at every level of it."""


def _let_cloudformation_make_machines_that_run(models, backends):
    """moto's CloudFormation puts its machines into a backend that does not execute them."""
    models.stepfunctions_backends = backends


def _substituted(create, position):
    """CloudFormation puts the DefinitionSubstitutions into the definition; moto ignores them."""

    def substituted(cls, *arguments, **named):
        arguments = list(arguments)
        if "cloudformation_json" in named:
            named["cloudformation_json"] = _with_substitutions(named["cloudformation_json"])
        else:
            arguments[position] = _with_substitutions(arguments[position])
        return create(cls, *arguments, **named)

    return substituted


def _with_substitutions(resource):
    properties = resource["Properties"]
    definition = properties.get("DefinitionString") or json.dumps(properties.get("Definition"))
    for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
        definition = definition.replace("${%s}" % name, str(value))
    return {**resource, "Properties": {**properties, "DefinitionString": definition}}
