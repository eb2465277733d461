"""Resources of the templates that moto's CloudFormation does not make, though its services have them."""

import json

from .accounts import PARTITION


def install():
    """Each is known to moto's CloudFormation by being a subclass of its model."""
    from moto.awslambda.models import lambda_backends
    from moto.cloudformation import parsing
    from moto.core.common_models import CloudFormationModel

    for cached in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cached.cache_clear()

    parsing.clean_json = _without_no_value(parsing.clean_json)
    parsing.ResourceMap.__init__ = _of_this_partition(parsing.ResourceMap.__init__)

    from moto.iam.models import Role

    Role.put_policy = _as_text(Role.put_policy)

    class Resource:
        """Of a `TYPE`, named by the property `NAME`."""

        def __init__(self, name, made=None):
            self.name, self.made = name, made

        @classmethod
        def cloudformation_type(cls):
            return cls.TYPE

        @classmethod
        def cloudformation_name_type(cls):
            return cls.NAME

        @property
        def physical_resource_id(self):
            return self.name

        @classmethod
        def has_cfn_attr(cls, attr):
            return attr == "Arn"

        def get_cfn_attribute(self, _):
            return self.made.arn

    class Schedule(Resource, CloudFormationModel):
        TYPE, NAME = "AWS::Scheduler::Schedule", "Name"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            from moto.scheduler.models import scheduler_backends

            properties = cloudformation_json["Properties"]
            made = scheduler_backends[account_id][region_name].create_schedule(
                description=properties.get("Description"),
                end_date=properties.get("EndDate"),
                flexible_time_window=properties["FlexibleTimeWindow"],
                group_name=properties.get("GroupName", "default"),
                kms_key_arn=properties.get("KmsKeyArn"),
                name=properties.get("Name", resource_name),
                schedule_expression=properties["ScheduleExpression"],
                schedule_expression_timezone=properties.get("ScheduleExpressionTimezone"),
                start_date=properties.get("StartDate"),
                state=properties.get("State"),
                target=_numbers(properties["Target"]),
                action_after_completion=None,
            )
            return cls(made.name, made)

    class Alarm(Resource, CloudFormationModel):
        TYPE, NAME = "AWS::CloudWatch::Alarm", "AlarmName"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            from moto.cloudwatch.models import cloudwatch_backends

            properties = cloudformation_json["Properties"]
            made = cloudwatch_backends[account_id][region_name].put_metric_alarm(
                name=properties.get("AlarmName", resource_name),
                namespace=properties.get("Namespace"),
                metric_name=properties.get("MetricName"),
                comparison_operator=properties["ComparisonOperator"],
                evaluation_periods=int(properties["EvaluationPeriods"]),
                period=int(properties["Period"]) if "Period" in properties else None,
                threshold=float(properties["Threshold"]),
                statistic=properties.get("Statistic"),
                description=properties.get("AlarmDescription"),
                dimensions=properties.get("Dimensions", []),
                alarm_actions=properties.get("AlarmActions", []),
                treat_missing_data=properties.get("TreatMissingData"),
                metric_data_queries=[_query(one) for one in properties.get("Metrics", [])],
            )
            return cls(made.name, made)

    class Alias(Resource, CloudFormationModel):
        TYPE, NAME = "AWS::Lambda::Alias", "Name"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            backend = lambda_backends[account_id][region_name]
            return cls._put(backend.create_alias, cloudformation_json["Properties"])

        @classmethod
        def update_from_cloudformation_json(cls, cloudformation_json, account_id, region_name, **_):
            backend = lambda_backends[account_id][region_name]
            return cls._put(backend.update_alias, cloudformation_json["Properties"])

        @classmethod
        def _put(cls, put, properties):
            names = (properties["Name"], properties["FunctionName"], properties["FunctionVersion"])
            made = put(*names, properties.get("Description", ""), None)
            return cls(made.arn, made)

    class BucketPolicy(Resource, CloudFormationModel):
        @staticmethod
        def cloudformation_name_type():
            return "Id"

        @staticmethod
        def cloudformation_type():
            return "AWS::S3::BucketPolicy"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            from moto.s3.models import s3_backends

            properties = cloudformation_json["Properties"]
            policy = json.dumps(properties["PolicyDocument"]).encode()
            s3_backends[account_id][PARTITION].put_bucket_policy(properties["Bucket"], policy)
            return cls(resource_name)

    class EventInvokeConfig(Resource, CloudFormationModel):
        TYPE, NAME = "AWS::Lambda::EventInvokeConfig", "FunctionName"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            properties = dict(cloudformation_json["Properties"])
            name = properties.pop("FunctionName")
            assert properties.pop("Qualifier") == "$LATEST", "the local AWS sends events to the latest version only"
            numbers = {key: int(value) for key, value in properties.items() if key.startswith("Maximum")}
            lambda_backends[account_id][region_name].put_function_event_invoke_config(name, properties | numbers)
            return cls(f"{name}|$LATEST")

    class QueuePolicy(Resource, CloudFormationModel):
        TYPE, NAME = "AWS::SQS::QueuePolicy", "Id"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            from moto.sqs.models import sqs_backends

            properties = cloudformation_json["Properties"]
            for url in properties["Queues"]:
                queue = sqs_backends[account_id][region_name].get_queue(url.rpartition("/")[2])
                queue.policy = json.dumps(properties["PolicyDocument"])
            return cls(resource_name)

    class TopicPolicy(Resource, CloudFormationModel):
        TYPE, NAME = "AWS::SNS::TopicPolicy", "Id"

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            from moto.sns.models import sns_backends

            properties = cloudformation_json["Properties"]
            for arn in properties["Topics"]:
                topic = sns_backends[account_id][region_name].get_topic(arn)
                topic.policy = json.dumps(properties["PolicyDocument"])
            return cls(resource_name)


def _without_no_value(clean):
    """AWS::NoValue leaves an element of a list out; moto leaves a null."""

    def clean_json(value, resources):
        cleaned = clean(value, resources)
        return [one for one in cleaned if one is not None] if isinstance(cleaned, list) else cleaned

    return clean_json


def _of_this_partition(init):
    """AWS::Partition is that of the stack's Region; moto's is aws."""

    def made(resources, *arguments, **named):
        init(resources, *arguments, **named)
        resources._parsed_resources["AWS::Partition"] = PARTITION

    return made


def _query(wanted):
    """A metric, or an expression, of an alarm on several."""
    from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat

    stat = wanted.get("MetricStat")
    if stat:
        about = stat["Metric"]
        dimensions = [Dimension(one["Name"], one["Value"]) for one in about.get("Dimensions", [])]
        metric = Metric(about["MetricName"], about["Namespace"], dimensions)
        stat = MetricStat(metric, str(stat["Period"]), stat["Stat"], stat.get("Unit"))
    returns = str(wanted.get("ReturnData", True)).lower() == "true"
    label, period = wanted.get("Label"), wanted.get("Period")
    return MetricDataQuery(wanted["Id"], label, period, returns, wanted.get("Expression"), stat)


def _as_text(put_policy):
    """IAM keeps a policy as JSON; moto keeps, and shows, what Python makes of a template's."""

    def put(self, name, document):
        put_policy(self, name, document if isinstance(document, str) else json.dumps(document))

    return put


def _numbers(target):
    """CloudFormation's parameters are texts, the API's numbers are not."""
    retry = {name: int(value) for name, value in target.get("RetryPolicy", {}).items()}
    return {**target, **({"RetryPolicy": retry} if retry else {})}
