"""What AWS's services count in CloudWatch, of which moto counts nothing."""

import datetime

from .clock import clock


def count(account, region, namespace, metric, **dimensions):
    """One more."""
    from moto.cloudwatch.models import cloudwatch_backends

    datum = {
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Value": 1,
        "Unit": "Count",
        "Timestamp": datetime.datetime.fromtimestamp(clock.now(), datetime.UTC).replace(tzinfo=None),
    }
    cloudwatch_backends[account][region].put_metric_data(namespace, [datum])
