"""Regions that have to be enabled."""

import pytest
from accounts import OWNER, RECEIVER
from local_aws.rules.regions import set_enabled

DISABLED = "me-south-1"


@pytest.fixture(autouse=True)
def enabled_in_one(aws):
    set_enabled({OWNER: [DISABLED]})
    yield
    set_enabled({})


def names(aws, account, **ask):
    return {one["RegionName"]: one["OptInStatus"] for one in aws.ec2(account).describe_regions(**ask)["Regions"]}


def test_region_enabled_by_account(aws):
    """API_DescribeRegions: the opt-in status is that in the account."""
    assert names(aws, OWNER, RegionNames=[DISABLED], AllRegions=True) == {DISABLED: "opted-in"}
    assert names(aws, RECEIVER, RegionNames=[DISABLED], AllRegions=True) == {DISABLED: "not-opted-in"}


def test_regions_not_enabled(aws):
    """API_DescribeRegions: AllRegions shows Regions that are disabled, too."""
    assert "not-opted-in" not in names(aws, RECEIVER).values()
    assert "not-opted-in" in names(aws, RECEIVER, AllRegions=True).values()


def test_regions_of_one_partition(aws):
    """IAM's ARNs: a partition is a group of Regions. What is in one of them is not seen in another."""
    assert (
        {"us-east-1", "eu-west-1"} <= set(names(aws, OWNER)) == {one for one in names(aws, OWNER) if is_commercial(one)}
    )
    assert not [one for one in names(aws, OWNER, AllRegions=True) if not is_commercial(one)]


def is_commercial(region):
    return not region.startswith(("us-gov-", "cn-"))
