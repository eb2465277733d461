"""Parses CloudFormation templates, and checks them and their parameters before anything is created.

The error texts are CloudFormation's, as users quote them.
"""

import json
import re

#: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-template.html#using-iam-capabilities
IAM = {"AccessKey", "Group", "InstanceProfile", "ManagedPolicy", "Policy", "Role", "User", "UserToGroupAddition"}
NAMES = {f"{kind}Name" for kind in IAM}


def install():
    import yaml
    from moto.cloudformation import models, responses
    from moto.cloudformation.models import ChangeSet, Stack

    models.yaml_tag_constructor = responses.yaml_tag_constructor = _long_form
    # `Version: 2012-10-17` is a text in a template; in YAML it is a date.
    yaml.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value, Loader=yaml.Loader)
    yaml.add_multi_constructor("", _long_form, Loader=yaml.Loader)
    Stack.parse_template = staticmethod(parse)
    ChangeSet._parse_template = _parse_of_change_set


def _long_form(loader, tag, node):
    """`!Sub` is `Fn::Sub`, but `!Ref` is `Ref` and `!Condition` is `Condition`; moto does not know the latter, nor what
    stands within a mapping.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
    """
    name = tag[1:] if tag in ("!Ref", "!Condition") else f"Fn::{tag[1:]}"
    constructors = {"sequence": loader.construct_sequence, "mapping": loader.construct_mapping}
    if node.id == "scalar":
        return {name: node.value.split(".", 1) if tag == "!GetAtt" else node.value}
    return {name: constructors[node.id](node, deep=True)}


def parse(text):
    """What is in a template, JSON or YAML, with the intrinsic functions' long names. Raises ValidationError for what is
    none; moto answers 500."""
    import yaml

    try:
        found = json.loads(text)  # YAML as well, but this is a hundred times as fast
    except ValueError:
        try:
            found = yaml.load(text, Loader=yaml.Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
            raise _invalid(f"Template format error: YAML not well-formed.{where}") from error
    if not isinstance(found, dict):
        raise _invalid("Template format error: unsupported structure.")
    if not isinstance(found.get("Resources"), dict) or not found["Resources"]:
        raise _invalid("Template format error: At least one Resources member must be defined.")
    return found


def _parse_of_change_set(change_set):
    change_set.template_dict = parse(change_set.template)


def check(template, capabilities):
    """Refuses types that the local AWS does not create, and IAM resources that `capabilities` does not acknowledge."""
    from moto.cloudformation import parsing
    from moto.cloudformation.exceptions import CloudFormationError

    resources = template["Resources"]
    without = [name for name, resource in resources.items() if not isinstance(resource, dict) or "Type" not in resource]
    if without:
        raise _invalid(
            f"Template format error: [/Resources/{without[0]}] Every Resources object must contain a Type member."
        )
    types = {resource["Type"] for resource in resources.values() if not resource["Type"].startswith("Custom::")}
    unknown = sorted(types - set(parsing.get_model_map()) - set(parsing.NULL_MODELS))
    unknown += [template["Transform"]] if "Transform" in template and not unknown else []
    if unknown:
        raise CloudFormationError(
            "UnsupportedOperation", f"The local AWS does not create {', '.join(map(str, unknown))}"
        )
    wanted = _capability(resources.values())
    if wanted and not {wanted, "CAPABILITY_NAMED_IAM"} & set(capabilities):
        raise CloudFormationError("InsufficientCapabilitiesException", f"Requires capabilities : [{wanted}]")


def _capability(resources):
    of_iam = [one for one in resources if one["Type"].removeprefix("AWS::IAM::") in IAM]
    is_named = any(NAMES & set(one.get("Properties", {})) - {"PolicyName"} for one in of_iam)
    return "CAPABILITY_NAMED_IAM" if is_named else "CAPABILITY_IAM" if of_iam else None


def current(stack):
    """The values of a stack's parameters now."""
    return values(stack.template_dict, [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()])


def values(template, asked, stack=None):
    """The value of each parameter: what is asked for, what the stack has, or the default."""
    declared = template.get("Parameters") or {}
    previous = current(stack) if stack is not None and stack.template_dict else {}
    given = {name: parameter.get("Default") for name, parameter in declared.items()}
    unknown = [one["ParameterKey"] for one in asked if one["ParameterKey"] not in declared]
    if unknown:
        raise _invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for one in asked:
        name = one["ParameterKey"]
        given[name] = previous.get(name) if one.get("UsePreviousValue") else one.get("ParameterValue")
    without = [name for name, value in given.items() if value is None]
    if without:
        raise _invalid(f"Parameters: [{', '.join(without)}] must have values")
    found = {name: _text(value) for name, value in given.items()}
    for name, value in found.items():
        _check_value(name, value, declared[name])
    return found


def _check_value(name, value, declared):
    allowed, pattern = declared.get("AllowedValues"), declared.get("AllowedPattern")
    is_list = declared.get("Type") == "CommaDelimitedList" or str(declared.get("Type")).startswith("List<")
    for one in value.split(",") if is_list else [value]:
        if allowed and one.strip() not in map(_text, allowed):
            raise _invalid(f"Parameter '{name}' must be one of AllowedValues")
        if pattern and not re.fullmatch(pattern, one.strip()):
            raise _invalid(f"Parameter '{name}' must match pattern {pattern}")


def _text(value):
    """Parameters are texts, whatever YAML or JSON makes of them."""
    return value if isinstance(value, str) else json.dumps(value)


def _invalid(message):
    from moto.cloudformation.exceptions import ValidationError

    return ValidationError(message=message)
