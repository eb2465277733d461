"""Lambda's versions in stacks, and the update of a stack that publishes some: a version keeps the code and the settings
that its function has then."""

import copy


def install():
    from moto.awslambda.models import LambdaStorage, LambdaVersion, lambda_backends
    from moto.cloudformation.parsing import ResourceMap

    LambdaStorage.publish_version = _kept(LambdaStorage.publish_version)
    ResourceMap.update = _functions_first(ResourceMap.update)

    def publish(_, resource_name, cloudformation_json, account_id, region_name, **__):
        made = lambda_backends[account_id][region_name].publish_version(
            cloudformation_json["Properties"]["FunctionName"]
        )
        version = LambdaVersion({"Version": made.version})
        version.physical_resource_id = made.function_arn
        return version

    LambdaVersion.create_from_cloudformation_json = classmethod(publish)
    LambdaVersion.get_cfn_attribute = lambda version, _: str(version.version)
    LambdaVersion.has_cfn_attr = classmethod(lambda _, attribute: attribute in ("Version", "FunctionArn"))


def _kept(publish):
    """moto's version shares its code's place and its variables with the function, and changes with it."""

    def publish_version(storage, name_or_arn, description=""):
        version = publish(storage, name_or_arn, description)
        version.code, version.environment_vars = copy.deepcopy((version.code, version.environment_vars))
        return version

    return publish_version


def _functions_first(update):
    """moto adds what is new, a version too, before it changes what is there."""

    def in_order(resources, template, parameters=None):
        old, new = resources._template, template["Resources"]
        functions = {
            name: new[name]
            for name, resource in old["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Function" and name in new
        }
        update(resources, {**old, "Resources": {**old["Resources"], **functions}}, parameters)
        update(resources, template, parameters)

    return in_order
