"""Definitions: how they are read, and how CloudFormation makes machines of them."""

import functools
import json
import re


def install():
    from moto.stepfunctions import models
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    AmazonStateLanguageParser.parse = staticmethod(_parsed_once(AmazonStateLanguageParser.parse))
    # moto keeps what CloudFormation makes apart from what executes.
    models.stepfunctions_backends = stepfunctions_parser_backends
    for name, position in (("create_from_cloudformation_json", 1), ("update_from_cloudformation_json", 2)):
        original = getattr(models.StateMachine, name).__func__
        setattr(models.StateMachine, name, classmethod(_substituted(original, position)))


def _parsed_once(parse):
    """A definition is parsed each time that it is started, which takes seconds; nothing in it changes while it runs.
    And a whole number is as good a percentage as any, though moto's grammar wants a fraction."""
    whole = re.compile(r'("ToleratedFailurePercentage"\s*:\s*\d+)(?![\d.])')

    @functools.lru_cache(maxsize=64)
    def parsed(definition):
        return parse(whole.sub(r"\1.0", definition))

    return parsed


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
