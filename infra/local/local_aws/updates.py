"""Updates of a stack: what CloudFormation changes when nothing but parameters has other values.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

import json
import re

#: What is updated in place for a parameter's sake. Of anything else moto would lose the resource.
UPDATED = {
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::SSM::Parameter",
    "AWS::StepFunctions::StateMachine",
}
_NAMED_IN_TEXT = re.compile(r"\$\{([^!}][^}]*)\}")


def install():
    from moto.cloudformation.parsing import ResourceMap
    from moto.iam.models import Role
    from moto.ssm.models import Parameter

    ResourceMap.build_resource_diff = _by_parameters_too(ResourceMap.build_resource_diff)
    Role.update_from_cloudformation_json = classmethod(_update_role)
    Parameter.update_from_cloudformation_json = classmethod(_update_parameter)


def _by_parameters_too(build_resource_diff):
    """A resource is updated when its properties come out differently, be it by a text or by a condition; moto looks for
    parameters that properties refer to as a whole."""

    def diff(resources, template, parameters=None):
        found = build_resource_diff(resources, template)
        before = resources.input_parameters
        changed = {name for name, value in (parameters or {}).items() if before.get(name) != value}
        for name, resource in template["Resources"].items():
            if name not in resources._resource_json_map or name in found["Modify"]:
                continue
            conditions = template.get("Conditions", {})
            if changed & named(resource.get("Properties", {}), conditions):
                found["Modify"].append(_updated(name, resource))
            elif changed & named(conditions.get(resource.get("Condition"), {}), conditions):
                raise NotImplementedError(f"the local AWS does not add or remove {name} when a stack is updated")
        return found

    return diff


def _updated(name, resource):
    if resource["Type"] not in UPDATED:
        raise NotImplementedError(f"the local AWS does not update {resource['Type']} ({name})")
    return name


def named(value, conditions):
    """What a value of a template refers to: parameters, and resources."""
    if isinstance(value, list):
        return set().union(*(named(one, conditions) for one in value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, of in value.items():
        if key == "Ref":
            found.add(of)
        elif key == "Condition" and isinstance(of, str):
            found |= named(conditions.get(of, {}), conditions)
        elif key == "Fn::If":
            found |= named(conditions.get(of[0], {}), conditions) | named(of[1:], conditions)
        elif key == "Fn::Sub":
            text, given = (of, {}) if isinstance(of, str) else of
            found |= set(_NAMED_IN_TEXT.findall(text)) - set(given) | named(given, conditions)
        else:
            found |= named(of, conditions)
    return found


def _update_role(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    """A role's policies, its trust and its boundary are what the template says now; moto leaves them as they were."""
    from moto.iam.models import iam_backends
    from moto.utilities.utils import get_partition

    properties = cloudformation_json["Properties"]
    iam = iam_backends[account_id][get_partition(region_name)]
    role = iam.get_role(properties.get("RoleName", original_resource.name))
    role.assume_role_policy_document = json.dumps(properties["AssumeRolePolicyDocument"])
    role.permissions_boundary_arn = properties.get("PermissionsBoundary") or None
    policies = {one["PolicyName"]: one["PolicyDocument"] for one in properties.get("Policies", [])}
    for name in set(role.policies) - set(policies):
        role.delete_policy(name)
    for name, document in policies.items():
        role.put_policy(name, document)
    return role


def _update_parameter(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    """A parameter has a new version, and is there all the time; moto removes it and makes another."""
    from moto.ssm.models import ssm_backends

    properties = cloudformation_json["Properties"]
    return ssm_backends[account_id][region_name].put_parameter(
        name=original_resource.name,
        description=properties.get("Description"),
        value=properties["Value"],
        parameter_type=properties["Type"],
        allowed_pattern=properties.get("AllowedPattern"),
        keyid=None,
        overwrite=True,
        tags=None,
        data_type=properties.get("DataType", "text"),
        tier=properties.get("Tier"),
        policies=None,
    )
