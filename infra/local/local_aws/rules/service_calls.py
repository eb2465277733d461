"""What a service of AWS may do on somebody's behalf: in the name of a role that lets it in, or by the policy of the
resource itself.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_services.html
"""

from moto.awslambda.models import lambda_backends
from moto.iam.models import iam_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from ..accounts import PARTITION
from . import access, policies
from .callers import service_in_role

#: What is done with a target, by the service that its ARN names.
ACTIONS = {
    "states": "states:StartExecution",
    "lambda": "lambda:InvokeFunction",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
}


class Refused(Exception):
    """What the service is told, in AWS's words."""

    error_type = "AccessDeniedException"


def source(arn):
    """The condition keys that tell for which of its resources a service acts."""
    return {"aws:sourcearn": arn, "aws:sourceaccount": arn.split(":")[4]}


def action_on(arn):
    return ACTIONS[arn.split(":")[2]]


def may_assume(principal, role_arn, context):
    """Whether a role's trust policy lets a service in. A role that IAM does not know lets in everybody."""
    role = _role(role_arn)
    if role is None:
        return True
    statements = policies.parse(role.assume_role_policy_document)
    return policies.decide(statements, "sts:AssumeRole", policies.ANY, context, {principal}) == "Allow"


def role_refusal(role_arn, session_name, resource, action=None):
    """AWS's message if the role's own policies do not allow this, or what is done with a target, else None."""
    caller, action = service_in_role(role_arn, session_name), action or action_on(resource)
    because = caller.refusal(action, resource, {"aws:requestedregion": resource.split(":")[3]})
    return because and access.message(caller, action, resource, because)


def resource_allows(principal, arn, context):
    """Whether the policy of a function, a topic or a queue lets a service do what is done with it. True if there is no
    such thing: that is another error."""
    action = action_on(arn)
    found = _POLICIES[arn.split(":")[2]](*arn.split(":")[3:5], arn)
    if found is None:
        return True
    return policies.decide(policies.parse(found), action, arn, context, {principal}) == "Allow"


def _role(arn):
    return next(
        (role for role in list(iam_backends[arn.split(":")[4]][PARTITION].roles.values()) if role.arn == arn), None
    )


def _function_policy(region, account, arn):
    try:
        function = lambda_backends[account][region].get_function(arn)
    except Exception:  # there is none
        return None
    return {"Statement": function.policy.statements}


def _topic_policy(region, account, arn):
    topic = sns_backends[account][region].topics.get(arn)
    return topic and topic._policy_json


def _queue_policy(region, account, arn):
    queue = sqs_backends[account][region].queues.get(arn.rpartition(":")[2])
    return queue and queue._policy_json


_POLICIES = {"lambda": _function_policy, "sns": _topic_policy, "sqs": _queue_policy}
