"""What a call of Step Functions, Systems Manager, Lambda, EventBridge, SNS, SQS or CloudWatch Logs needs leave for.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html

Each function answers (action, ARN, condition keys) for all that must be allowed.
"""

from urllib.parse import unquote

from ..accounts import PARTITION
from . import command_needs, pages
from .policies import ALL, ANY
from .registry import rule


def _arn(service, response, name):
    return f"arn:{PARTITION}:{service}:{response.region}:{response.current_account}:{name}"


@rule("states-permission", pages.actions("awsstepfunctions"), without=())
def states(operation, response):
    """A role's policies name the state machine that it starts, the execution that it looks at or stops, the Map Run."""
    ask = response._get_param
    if ask("taskToken"):
        return [(operation, ANY, {})]
    named = (ask(name) for name in ("executionArn", "mapRunArn", "stateMachineArn", "activityArn", "resourceArn"))
    made = {"CreateStateMachine": "stateMachine", "CreateActivity": "activity"}
    if operation in made:
        return [(operation, _arn("states", response, f"{made[operation]}:{ask('name')}"), {})]
    return [(operation, next(filter(None, named), ALL), {})]


@rule("ssm-permission", pages.actions("awssystemsmanager"), without=())
def ssm(operation, response):
    """A role's policies name the parameters that it reads and writes, without version or label."""
    ask = response._get_param
    if operation == "SendCommand":
        return command_needs.send_command(response)
    if operation in command_needs.LOOKS:
        return command_needs.look(operation)
    if "Parameter" not in operation:
        return [(operation, ANY, {})]
    names = ask("Names") or list(filter(None, [ask("Name") or ask("Path")]))
    return [(operation, _parameter(name, response), {}) for name in names] or [
        (operation, _arn("ssm", response, "*"), {})
    ]


def _parameter(name, response):
    if name.startswith("arn:"):
        return name
    return _arn("ssm", response, f"parameter/{name.partition(':')[0].removeprefix('/')}")


@rule("lambda-permission", pages.actions("awslambda"), without=())
def awslambda(operation, response):
    """A role's policies name the function that it invokes, with the version or alias if it names one."""
    if "/functions/" not in response.path:
        return [(operation, ANY, {})]
    name, _, rest = unquote(response.path.partition("/functions/")[2]).partition("/")
    qualifier = response.querystring.get("Qualifier", [None])[0]
    if "function:" in name:
        name = name.partition("function:")[2]
    if qualifier and ":" not in name:
        name = f"{name}:{qualifier}"
    action = "InvokeFunction" if operation.startswith("Invoke") else operation
    return [(action, _arn("lambda", response, f"function:{name}"), {})]


@rule("events-permission", pages.actions("amazoneventbridge"), without=())
def events(operation, response):
    """A role's policies name the bus that it sends events to, and can ask for their source and detail type."""
    if operation != "PutEvents":
        return [(operation, ANY, {})]
    return [_event(entry, response) for entry in response._get_param("Entries", [])]


def _event(entry, response):
    bus = entry.get("EventBusName") or "default"
    bus = bus if bus.startswith("arn:") else _arn("events", response, f"event-bus/{bus}")
    keys = {"events:source": entry.get("Source"), "events:detail-type": entry.get("DetailType")}
    return "PutEvents", bus, {name: value for name, value in keys.items() if value is not None}


@rule("cloudwatch-permission", pages.actions("amazoncloudwatch"), without=())
def cloudwatch(operation, response):
    """A role's policies can ask for the namespace of the metrics that it puts."""
    keys = {"cloudwatch:namespace": response._get_param("Namespace")} if operation == "PutMetricData" else {}
    return [(operation, ANY, keys)]


@rule("sns-permission", pages.actions("amazonsns"), without=())
def sns(operation, response):
    """A role's policies name the topic that it publishes to; else AuthorizationError."""
    ask = response._get_param
    topic = ask("TopicArn") or ask("TargetArn") or ask("ResourceArn")
    if operation == "CreateTopic":
        topic = _arn("sns", response, ask("Name"))
    return [("Publish" if operation == "PublishBatch" else operation, topic or ALL, {})]


@rule("sqs-permission", pages.actions("amazonsqs"), without=())
def sqs(operation, response):
    """A role's policies name the queue that it sends to or receives from; else AccessDenied."""
    ask = response._get_param
    name = ask("QueueName") or (ask("QueueUrl") or "*").rpartition("/")[2]
    return [(operation.removesuffix("Batch"), _arn("sqs", response, name), {})]


@rule("logs-permission", pages.actions("amazoncloudwatchlogs"), without=())
def logs(operation, response):
    """A role's policies name the log group that it writes to, and can name the stream."""
    ask = response._get_param
    stream = ask("logStreamName") if operation != "CreateLogStream" else None
    group = ask("logGroupName") or (ask("logGroupIdentifier") or "").rpartition("log-group:")[2] or ""
    return [(operation, _arn("logs", response, f"log-group:{group}:log-stream:{stream or ''}"), {})]


@rule("other-permission", f"{pages.IAM_GUIDE}reference_policies_evaluation-logic.html", without=())
def other(operation, response):
    """A role makes no call of any service that no policy of it allows."""
    return [(operation, ANY, {})]
