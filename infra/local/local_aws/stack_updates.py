"""What an update of a stack changes: also resources that depend on a parameter through a condition or `Fn::Sub`, and
resources that a condition adds or removes."""

import re

_NAMES = re.compile(r"\$\{(\w+)\}")


def install():
    from moto.cloudformation import parsing
    from moto.cloudformation.parsing import ResourceMap

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
    """moto only looks for `Ref`."""

    def build(self, template, parameters=None):
        found = build_resource_diff(self, template, parameters)
        changed = {name for name, value in (parameters or {}).items() if self.input_parameters.get(name) != value}
        for name, condition in _in_dependency_order(template.get("Conditions") or {}):
            if changed & _references(condition):
                changed.add(name)
        for name, resource in template["Resources"].items():
            if name in self._resource_json_map and name not in found["Modify"] and changed & _references(resource):
                found["Modify"].append(name)
        return found

    return build


def _in_dependency_order(conditions):
    """Conditions, each after the conditions that it refers to."""
    left, done = dict(conditions), []
    while left:
        ready = [name for name, condition in left.items() if not (_references(condition) - {name}) & set(left)]
        done += [(name, left.pop(name)) for name in ready or list(left)]
    return done


def _references(value):
    """The names of all parameters, conditions and resources that a part of a template refers to."""
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, inner in value.items():
        if key in ("Ref", "Condition") and isinstance(inner, str):
            found.add(inner)
        elif key == "Fn::If":
            found |= {inner[0]} | _references(inner[1:])
        elif key == "Fn::Sub":
            text = inner if isinstance(inner, str) else inner[0]
            found |= set(_NAMES.findall(text)) | _references(inner)
        else:
            found |= _references(inner)
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
