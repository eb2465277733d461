"""What an update of a stack changes: also resources that depend on a parameter through a condition or `Fn::Sub`, and
resources that a condition adds or removes.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

import json
import re

#: What moto would lose in an update, with all that it holds, and so is not updated.
LOST = {
    "AWS::CloudWatch::Alarm",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::Scheduler::Schedule",
}
_NAMED_IN_TEXT = re.compile(r"\$\{([^!}][^}]*)\}")


def install():
    from moto.cloudformation import parsing
    from moto.cloudformation.parsing import ResourceMap
    from moto.iam.models import Role
    from moto.kms.models import Key
    from moto.ssm.models import Parameter

    Role.update_from_cloudformation_json = classmethod(_update_role)
    Parameter.update_from_cloudformation_json = classmethod(_update_parameter)
    Key.update_from_cloudformation_json = classmethod(_update_key)
    ResourceMap.build_resource_diff = _include_parameter_dependents(ResourceMap.build_resource_diff)
    ResourceMap._delete_resource = _skip_if_never_made(ResourceMap._delete_resource)
    parsing.parse_and_update_resource = _honour_conditions(parsing.parse_and_update_resource)


def changes(stack, template, parameters):
    """The changes of a change set. A resource whose condition is false does not exist.

    Raises ValidationError for outputs that refer to what does not exist.
    """
    from moto.cloudformation.models import Change
    from moto.cloudformation.parsing import ResourceMap

    old, where = stack.resource_map, {"region_name": stack.region_name, "account_id": stack.account_id}
    exports = stack.cross_stack_resources
    new = ResourceMap(
        stack.stack_id, stack.name, parameters, {}, template=template, cross_stack_resources=exports, **where
    )
    new.load()
    holds = new.lazy_condition_map
    had = {name for name in old._resource_json_map if old._parsed_resources.get(name) is not None}
    has = {name for name, one in template["Resources"].items() if "Condition" not in one or holds[one["Condition"]]}
    modified = set(old.build_resource_diff(template, parameters)["Modify"]) & had & has
    types = {
        name: one["Type"] for kept in (old._resource_json_map, template["Resources"]) for name, one in kept.items()
    }
    found = [("Add", has - had), ("Modify", modified), ("Remove", had - has)]
    return [Change(action, name, types[name]) for action, names in found for name in types if name in names]


def _include_parameter_dependents(build_resource_diff):
    """moto looks for parameters that properties refer to as a whole, and not in texts and conditions."""

    def build(self, template, parameters=None):
        found = build_resource_diff(self, template, parameters)
        changed = {name for name, value in (parameters or {}).items() if self.input_parameters.get(name) != value}
        conditions = template.get("Conditions") or {}
        for name, resource in template["Resources"].items():
            if (
                name in self._resource_json_map
                and name not in found["Modify"]
                and changed & named(resource, conditions)
            ):
                found["Modify"].append(name)
        return found

    return build


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


def _honour_conditions(update):
    """Creates and deletes resources as their conditions change. moto updates a resource that was never created, and
    keeps one whose condition is false now."""

    def updated(logical_id, resource_json, resources_map, account_id, region_name):
        from moto.cloudformation import parsing

        where = {"account_id": account_id, "region_name": region_name}
        made = resources_map._parsed_resources.get(logical_id)
        condition = resource_json.get("Condition")
        if not condition or resources_map.lazy_condition_map[condition]:
            if made and resource_json["Type"] in LOST:
                raise NotImplementedError(f"the local AWS does not update {resource_json['Type']} ({logical_id})")
            make = update if made else parsing.parse_and_create_resource
            return make(logical_id, resource_json, resources_map, **where)
        if made:
            resources_map._delete_resource(made, resource_json)
        return None

    return updated


def _skip_if_never_made(delete):
    def deleted(self, made, resource_json):
        if made is not None:
            delete(self, made, resource_json)

    return deleted


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
    others = {one.policy_name for one in iam.inline_policies.values()}  # each an AWS::IAM::Policy
    for name in set(role.policies) - set(policies) - others:
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


def _update_key(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    """A key has its policy changed, and stays what it is; moto makes another."""
    original_resource.policy = json.dumps(cloudformation_json["Properties"]["KeyPolicy"])
    return original_resource
