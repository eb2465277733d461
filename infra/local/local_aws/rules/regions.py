"""Regions that have to be enabled in each account by itself."""

from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import Region, RegionsAndZonesBackend

from ..accounts import PARTITION, partition_of
from . import pages
from .registry import rule
from .switches import switch

_enabled = {}


def set_enabled(accounts):
    """The Regions that accounts have enabled, `{"222222222222": ["me-south-1"]}`."""
    unknown = {name for names in accounts.values() for name in names} - {
        one.name for one in RegionsAndZonesBackend.regions
    }
    if unknown:
        raise KeyError(f"no such Region: {', '.join(sorted(unknown))}")
    _enabled.clear()
    _enabled.update({account: sorted(names) for account, names in accounts.items()})


def enabled():
    return dict(_enabled)


def describe_regions(response):
    response.error_on_dryrun()
    found = response.ec2_backend.describe_regions(response._get_param("RegionNames", []))
    found = [_seen_by(response.current_account, region) for region in found if _here(region)]
    everything = response._get_param("AllRegions", False)
    return ActionResult({"Regions": [one for one in found if everything or _usable(one)]})


@rule("region-enabled-by-account", pages.ec2("DescribeRegions"), without=lambda account, region: region)
def _seen_by(account, region):
    """A Region that has to be enabled is opted-in in the accounts that have enabled it. (A control.)"""
    is_enabled = region.opt_in_status == "not-opted-in" and region.name in _enabled.get(account, ())
    return Region(region.name, region.endpoint, "opted-in") if is_enabled else region


@rule("regions-of-one-partition", f"{pages.IAM_GUIDE}reference-arns.html", without=True)
def _here(region):
    """Regions of other partitions are not listed, not even with AllRegions."""
    return partition_of(region.name) == PARTITION


@rule("regions-not-enabled", pages.ec2("DescribeRegions"), without=True)
def _usable(region):
    """Regions that are not enabled in the account are listed only with AllRegions."""
    return region.opt_in_status != "not-opted-in" and _is_there(region)


def _is_there(region):
    named = switch("default-regions")
    return not named or region.opt_in_status != "opt-in-not-required" or region.name in named.split(",")


def forget():
    _enabled.clear()
