#!/usr/bin/env bash
# AWS SAM names a function's version by what the template says, not by what parameters make of it: an update of a stack that
# changes nothing but a parameter publishes no version, so whoever calls the alias or the version goes on with the old
# environment. AutoPublishAliasAllProperties, by which "any property" that changes is to publish a version, changes nothing
# about that where the property is a !Ref.
#
# Seen with aws-sam-translator 1.115.0: the same logical id for both values, also with AutoPublishAliasAllProperties; another
# one when the value stands in the template itself.
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check aws-sam-translator==1.115.0
AWS_DEFAULT_REGION=us-east-1 "$work/venv/bin/python" - <<'PYTHON'
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def version_id(variable, parameter, all_properties):
    function = {
        "Handler": "bootstrap",
        "Runtime": "provided.al2023",
        "CodeUri": {"Bucket": "code", "Key": "function.zip"},
        "AutoPublishAlias": "live",
        "AutoPublishAliasAllProperties": all_properties,
        "Environment": {"Variables": {"ALLOWED": variable}},
    }
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"Allowed": {"Type": "String"}},
        "Resources": {"Function": {"Type": "AWS::Serverless::Function", "Properties": function}},
    }
    made = Translator({}, Parser()).translate(template, parameter_values={"Allowed": parameter})
    [name] = [name for name, one in made["Resources"].items() if one["Type"] == "AWS::Lambda::Version"]
    return name


for all_properties in (False, True):
    by_parameter = {version_id({"Ref": "Allowed"}, value, all_properties) for value in ("one", "other")}
    in_template = {version_id(value, "same", all_properties) for value in ("one", "other")}
    print("AutoPublishAliasAllProperties", all_properties)
    print("  two values of a parameter:", *sorted(by_parameter))
    print("  two values in the template:", *sorted(in_template))
    assert len(by_parameter) == 1, "a parameter's value makes a version now"
    assert len(in_template) == 2, "what stands in the template makes no version now"
PYTHON
