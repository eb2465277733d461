"""What a call of Run Command needs leave for."""

from ..accounts import PARTITION
from . import pages
from .policies import ALL
from .registry import rule
from .world import instance_tags


@rule("send-command-permission", pages.actions("awssystemsmanager"), without=())
def send_command(response):
    """A role's policies name the document that it runs, AWS's own without an account, and the instances that it runs
    on, by ARN or by their tags."""
    ask, region, account = response._get_param, response.region, response.current_account
    name = ask("DocumentName") or "*"
    owner = "" if name.startswith(("AWS-", "AWSEC2-")) else account
    document = name if name.startswith("arn:") else f"arn:{PARTITION}:ssm:{region}:{owner}:document/{name}"
    ids = ask("InstanceIds", [])
    for target in ask("Targets", []):
        ids = ids + (target["Values"] if target["Key"].lower() == "instanceids" else ["*"])
    instances = [(f"arn:{PARTITION}:ec2:{region}:{account}:instance/{one}", _tags(account, region, one)) for one in ids]
    return [("SendCommand", document, {}), *(("SendCommand", arn, keys) for arn, keys in instances)]


def _tags(account, region, instance_id):
    tags = instance_tags(account, region, instance_id)
    return {f"{prefix}:resourcetag/{key.lower()}": tags[key] for key in tags for prefix in ("aws", "ssm")}


@rule("look-at-commands-permission", pages.actions("awssystemsmanager"), without=())
def look(operation):
    """Only a policy for all resources lets a role look at commands and at managed instances."""
    return [(operation, ALL, {})]


LOOKS = {"GetCommandInvocation", "ListCommandInvocations", "ListCommands", "DescribeInstanceInformation"}
