"""Definitions: which are refused, how they are read, and how CloudFormation makes machines of them."""

import functools
import json
import re

from . import checking

#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
MOST_CHARACTERS, MOST_DIAGNOSTICS = 1_048_576, 100
_WHOLE_PERCENTAGE = re.compile(r'("ToleratedFailurePercentage"\s*:\s*\d+)(?![\d.])')


def install():
    from moto.stepfunctions import models
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
    from moto.stepfunctions.parser.asl.parse import preprocessor
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
    from moto.stepfunctions.responses import StepFunctionResponse

    StepFunctionsParserBackend._validate_definition = staticmethod(_refuse)
    StepFunctionResponse.validate_state_machine_definition = _validate
    preprocessor.Preprocessor._inner_string_of = staticmethod(_text)
    preprocessor.Preprocessor.__init__ = _begin_without_query_language
    scope = preprocessor.Preprocessor._open_query_language_scope
    preprocessor.Preprocessor._open_query_language_scope = _query_language_of_the_machine(scope)
    preprocessor.from_string_literal = _text
    AmazonStateLanguageParser.parse = staticmethod(_parsed_once(AmazonStateLanguageParser.parse))
    EvalComponent.heap_key = property(_key_of_a_shared_component)
    EvalComponent._log_exception = EvalComponent._log_failure_event_exception = _say_nothing
    _let_cloudformation_make_machines_that_run(models, stepfunctions_parser_backends)
    for name, position in (("create_from_cloudformation_json", 1), ("update_from_cloudformation_json", 2)):
        original = getattr(models.StateMachine, name).__func__
        setattr(models.StateMachine, name, classmethod(_substituted(original, position)))


def _refuse(definition):
    """What could not run is refused, with all that is wrong with it; moto takes whatever its grammar does."""
    from moto.stepfunctions.parser.api import InvalidDefinition

    if found := _problems(definition):
        raise InvalidDefinition(f"Invalid State Machine Definition: '{', '.join(map(str, found))}'")


def _validate(self):
    """ValidateStateMachineDefinition tells what would be refused, and why; moto does not have it."""
    from moto.core.responses import ActionResult

    found = _problems(self._get_param("definition"))
    most = self._get_int_param("maxResults") or MOST_DIAGNOSTICS
    told = [{"severity": "ERROR", **{k: v for k, v in one._asdict().items() if v is not None}} for one in found[:most]]
    return ActionResult({"result": "FAIL" if found else "OK", "diagnostics": told, "truncated": len(found) > most})


def _problems(definition):
    from moto.core.exceptions import AWSError
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    class ValidationException(AWSError):
        TYPE = "ValidationException"

    if not 1 <= len(definition) <= MOST_CHARACTERS:
        message = "1 validation error detected: Value at 'definition' failed to satisfy constraint: "
        raise ValidationException(f"{message}Member must have length between 1 and {MOST_CHARACTERS}")
    found = checking.problems(definition)
    if not found:
        try:
            AmazonStateLanguageParser.parse(definition)
        except Exception as error:  # whatever it is, the engine cannot run this
            found = [checking.not_allowed(str(error))]
    return found


def _text(parser_rule_context):
    """A definition's texts are JSON's; moto leaves some of them with their backslashes, and takes others for Python's."""
    text = parser_rule_context.getText()
    if text == "null":
        return None
    return json.loads(text) if text.startswith('"') else text


def _begin_without_query_language(self):
    """Nothing is left of a definition that was refused; moto keeps where it was, in the class, for those that come."""
    self._query_language_per_scope = []


def _query_language_of_the_machine(open_scope):
    """What a state does not say the machine says, and only a machine in JSONata has no states in JSONPath; moto asks the
    state around it. (A Map in JSONPath within one in JSONata within a machine in JSONPath: recorded on AWS.)"""

    def opened(self, parse_tree):
        around = self._query_language_per_scope
        self._query_language_per_scope = around[:1]
        open_scope(self, parse_tree)
        self._query_language_per_scope = [*around, self._query_language_per_scope[-1]]

    return opened


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
    """CloudFormation puts the DefinitionSubstitutions into the definition; moto ignores them. A stack whose machine is
    refused fails; here CreateStack and UpdateStack do, for moto knows no stack that has failed."""
    from moto.cloudformation.exceptions import ValidationError
    from moto.stepfunctions.parser.api import InvalidDefinition

    def substituted(cls, *arguments, **named):
        arguments = list(arguments)
        if "cloudformation_json" in named:
            named["cloudformation_json"] = _with_substitutions(named["cloudformation_json"])
        else:
            arguments[position] = _with_substitutions(arguments[position])
        try:
            return create(cls, *arguments, **named)
        except InvalidDefinition as error:
            raise ValidationError(message=error.message) from error

    return substituted


def _with_substitutions(resource):
    properties = resource["Properties"]
    definition = properties.get("DefinitionString") or json.dumps(properties.get("Definition"))
    for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
        definition = definition.replace("${%s}" % name, str(value))
    return {**resource, "Properties": {**properties, "DefinitionString": definition}}
