"""CloudFormation's change sets, with which `aws cloudformation deploy` and `sam deploy` create and update stacks.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html,
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
"""

import logging

from . import stack_updates, templates

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
#: How a stack ends: what was done, or the way back from it.
ENDS = {
    ("CREATE", True): "CREATE_COMPLETE",
    ("CREATE", False): "ROLLBACK_COMPLETE",
    ("UPDATE", True): "UPDATE_COMPLETE",
    ("UPDATE", False): "UPDATE_ROLLBACK_COMPLETE",
}


def install():
    from moto.cloudformation.responses import CloudFormationResponse

    templates.install()
    stack_updates.install()
    for name in ("create_stack", "update_stack"):
        setattr(CloudFormationResponse, name, _checked(getattr(CloudFormationResponse, name)))
    for call in (create_change_set, describe_change_set, execute_change_set, delete_change_set):
        setattr(CloudFormationResponse, call.__name__, call)


def _checked(call):
    """CreateStack and UpdateStack are refused for the same reasons as CreateChangeSet; moto refuses little."""

    def checked(self):
        _read(self, _stack(self)[1])
        return call(self)

    return checked


def _read(response, stack):
    """The template as sent, the parsed template, and its parameters' values. Raises what CloudFormation answers."""
    body = _body(response, stack)
    template = templates.parse(body)
    templates.check(template, response._get_param("Capabilities", []))
    return body, template, templates.values(template, response._get_param("Parameters", []), stack)


def create_change_set(self):
    """Creates a change set. One without changes is created too, with the status FAILED."""
    from moto.cloudformation.models import ChangeSet
    from moto.cloudformation.utils import generate_changeset_id
    from moto.core.responses import ActionResult

    kind, name = self._get_param("ChangeSetType", "UPDATE"), self._get_param("ChangeSetName")
    if kind not in ("CREATE", "UPDATE"):
        raise NotImplementedError(kind)
    backend, stack = _stack(self)
    _refuse_wrong_kind(kind, stack, self._get_param("StackName"), name)
    self.validate_template_and_stack_body()
    body, template, parameters = _read(self, stack)
    tags = {tag["Key"]: tag["Value"] for tag in self._get_param("Tags", [])}
    stack = stack or _in_review(backend, self._get_param("StackName"))
    made = ChangeSet(
        change_set_type=kind,
        change_set_id=generate_changeset_id(name, backend.region_name, backend.account_id),
        change_set_name=name,
        stack=stack,
        template=body,
        parameters=parameters,
        description=self._get_param("Description"),
        notification_arns=self._get_param("NotificationARNs", []),
        tags=tags,
        role_arn=self._get_param("RoleARN"),
    )
    made.changes = stack_updates.changes(stack, template, parameters)
    is_same = kind == "UPDATE" and template == stack.template_dict and parameters == templates.current(stack)
    if is_same and (not tags or tags == stack.tags):
        made.status, made.execution_status, made.status_reason = "FAILED", "UNAVAILABLE", NO_CHANGES
    else:
        made.status, made.execution_status = "CREATE_COMPLETE", "AVAILABLE"
    backend.change_sets[made.change_set_id] = made
    return ActionResult({"Id": made.change_set_id, "StackId": stack.stack_id})


def describe_change_set(self):
    from moto.core.responses import ActionResult

    return ActionResult(_found(self))


def delete_change_set(self):
    """Succeeds for a change set that does not exist, too."""
    from moto.core.responses import EmptyResult

    if found := _find(self):
        del self.cloudformation_backend.change_sets[found.change_set_id]
    return EmptyResult()


def execute_change_set(self):
    """The stack is complete, or rolled back, when the call is answered; on AWS that happens afterwards. The call succeeds
    in both cases, as on AWS."""
    from moto.cloudformation.exceptions import CloudFormationError
    from moto.core.responses import EmptyResult

    found = _found(self)
    if found.execution_status != "AVAILABLE":
        message = f"ChangeSet [{found.change_set_id}] cannot be executed in its current status of [{found.status}]"
        raise CloudFormationError("InvalidChangeSetStatus", message)
    stack, kind = found.stack, found.change_set_type
    stack._add_stack_event(f"{kind}_IN_PROGRESS", resource_status_reason="User Initiated")
    is_done = (_create if kind == "CREATE" else _update)(self.cloudformation_backend, stack, found)
    found.execution_status = "EXECUTE_COMPLETE" if is_done else "EXECUTE_FAILED"
    stack.status = ENDS[kind, is_done]
    stack._add_stack_event(stack.status)
    return EmptyResult()


def _create(backend, stack, wanted):
    """Creates the stack's resources, or removes them again. Whether that succeeded."""
    stack.template, stack.parameters, stack.tags = wanted.template, wanted.parameters, wanted.tags
    stack.role_arn, stack.cross_stack_resources = wanted.role_arn, backend.exports
    try:
        stack._parse_template()
        stack.resource_map, stack.output_map = stack._create_resource_map(), None
        stack.output_map = stack._create_output_map()
        backend._validate_export_uniqueness(stack)
        stack.create_resources()
        backend.exports.update({export.name: export for export in stack.exports})
    except Exception as error:  # of whichever service makes a resource
        _record_failure(stack, "CREATE_FAILED", error)
        _attempt(stack, "DELETE_FAILED", stack.resource_map.delete)
        return False
    return True


def _update(_, stack, wanted):
    """Updates the stack's resources, or restores them. Whether that succeeded."""
    old = (stack.template, stack.role_arn, stack.parameters, stack.tags)
    try:
        stack.update(wanted.template, wanted.role_arn or stack.role_arn, wanted.parameters, wanted.tags or stack.tags)
    except Exception as error:
        _record_failure(stack, "UPDATE_FAILED", error)
        _attempt(stack, "UPDATE_FAILED", lambda: stack.update(*old))
        return False
    return True


def _attempt(stack, failed, undo):
    try:
        undo()
    except Exception as error:
        _record_failure(stack, failed, error)


def _record_failure(stack, status, error):
    logging.getLogger(__name__).warning("stack %s: %s", stack.name, status, exc_info=error)
    stack._add_stack_event(status, resource_status_reason=getattr(error, "message", None) or str(error))


def _stack(response):
    """The backend, and the stack that a call is about, if there is one."""
    backend, name = response.cloudformation_backend, response._get_param("StackName")
    found = (stack for stack in backend.stacks.values() if name in (stack.name, stack.stack_id))
    return backend, next(found, None)


def _in_review(backend, name):
    """A stack without resources, until a change set is executed."""
    from moto.cloudformation.models import Stack
    from moto.cloudformation.utils import generate_stack_id

    made = Stack(
        stack_id=generate_stack_id(name, backend.region_name, backend.account_id),
        name=name,
        template={},
        parameters={},
        account_id=backend.account_id,
        region_name=backend.region_name,
    )
    made.status = "REVIEW_IN_PROGRESS"
    made._add_stack_event(made.status, resource_status_reason="User Initiated")
    backend.stacks[made.stack_id] = made
    return made


def _refuse_wrong_kind(kind, stack, name, change_set):
    """The texts are AWS's, as users quote them."""
    from moto.cloudformation.exceptions import ValidationError

    is_there = stack is not None and stack.status != "REVIEW_IN_PROGRESS"
    if kind == "UPDATE" and not is_there:
        raise ValidationError(message=f"Stack [{name}] does not exist")
    if kind == "CREATE" and is_there:
        message = f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
        raise ValidationError(message=message)


def _body(response, stack):
    """The template as it was sent."""
    if response._get_bool_param("UsePreviousTemplate", False):
        return stack.template
    url = response._get_param("TemplateURL")
    return response._get_stack_from_s3_url(url) if url else response._get_param("TemplateBody")


def _find(response):
    """By its ARN, or by its name and its stack's."""
    name, (_, stack) = response._get_param("ChangeSetName"), _stack(response)
    sets = response.cloudformation_backend.change_sets
    named = (one for one in reversed(sets.values()) if one.change_set_name == name and one.stack is stack)
    return sets.get(name) or next(named, None)


def _found(response):
    from moto.cloudformation.exceptions import CloudFormationError

    if found := _find(response):
        return found
    name = response._get_param("ChangeSetName")
    raise CloudFormationError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")
