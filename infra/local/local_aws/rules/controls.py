"""What a test may set while the local AWS runs: switches, rules left out, instances that fail their status checks.

PUT /moto-api/rules/switches   {"grant-seconds": 300}    null puts a switch back; GET answers all of them
PUT /moto-api/rules/without    ["image-name-unique"]     leaves out these rules and no others
PUT /moto-api/rules/impaired   ["i-0123456789abcdef0"]   these instances fail their status checks, no others
PUT /moto-api/rules/capacity   ["t3.micro"]              these instance types cannot be launched, no others; or
                               [{"type", "account", "region", "zone", "error", "times"}], globs allowed
PUT /moto-api/rules/subscriptions  {"222222222222": ["code"]}   the Marketplace products that accounts have
PUT /moto-api/rules/launches   [{"state": "terminated", "after": 30}]   what becomes of instances launched from now on:
                               "pending" for ever, "stopped" by themselves, "terminated" for a "reason"; also
                               "account", "region", "type", globs allowed, and "times"
PUT /moto-api/rules/images     [{"state": "failed", "after": 20}]   what becomes of images made from now on: "pending" for
                               ever, "failed" with a "code", or with a snapshot in "error"; also "account", "region",
                               "action" (CreateImage, CopyImage), globs allowed, and "times"
PUT /moto-api/rules/shutdowns  {"i-0123456789abcdef0": 30}   these instances shut themselves down in so many seconds
PUT /moto-api/rules/hidden-codes  {"i-0123456789abcdef0": ["code"]}   gives instances and images Marketplace codes that
                               nothing shows, and that what is made from them inherits
PUT /moto-api/rules/regions    {"222222222222": ["me-south-1"]}   the Regions that accounts have enabled
PUT /moto-api/rules/ssm-reach  {"subnet-0123456789abcdef0": false}   whether Systems Manager is reached from subnets
PUT /moto-api/rules/documents  {"Seal": {"seals": true, "fails": false, "seconds": 20}}   what running documents does
"""

import json

from moto.ec2.models import ec2_backends
from moto.moto_api._internal import urls

from .capacity import lacking, set_capacity
from .command_documents import documents, set_documents
from .fates import launches, set_launches, set_shutdowns
from .hidden_codes import hidden_codes, set_hidden_codes
from .image_fates import images, set_images
from .managed_instances import reach, set_reach
from .regions import enabled, set_enabled
from .registry import RULES, leave_out, left_out
from .subscriptions import set_subscriptions, subscriptions
from .switches import SWITCHES, set_switch, switch
from .world import lock


def set_switches(values):
    for name, value in values.items():
        set_switch(name, value)


def set_impaired(ids):
    for account in list(ec2_backends.values()):
        for backend in list(account.values()):
            for instance in backend.all_instances():
                instance.impaired = instance.id in ids


def _state(name):
    match name:
        case "switches":
            return {name: {"value": switch(name), "meaning": SWITCHES[name].meaning} for name in SWITCHES}
        case "without":
            return sorted(left_out())
        case "capacity":
            return lacking()
        case "regions":
            return enabled()
        case "ssm-reach":
            return reach()
        case "documents":
            return documents()
        case "hidden-codes":
            return hidden_codes()
        case "images":
            return images()
        case "launches":
            return launches()
        case "subscriptions":
            return subscriptions()
        case _:
            return sorted(RULES)


CHANGES = {
    "switches": set_switches,
    "without": lambda names: leave_out(*names),
    "impaired": lambda ids: set_impaired(set(ids)),
    "capacity": set_capacity,
    "subscriptions": set_subscriptions,
    "hidden-codes": set_hidden_codes,
    "launches": set_launches,
    "images": set_images,
    "regions": set_enabled,
    "ssm-reach": set_reach,
    "documents": set_documents,
    "shutdowns": set_shutdowns,
}


def answer(request, full_url, headers):
    """A request to a control."""
    name = request.path.rpartition("/")[2]
    try:
        if request.method == "PUT":
            with lock:
                CHANGES[name](json.loads(request.data))
        return 200, {"content-type": "application/json"}, json.dumps(_state(name))
    except (KeyError, TypeError, ValueError) as wrong:
        return 400, {"content-type": "application/json"}, json.dumps({"error": str(wrong)})


def install():
    for name in CHANGES:
        urls.url_paths[f"{{0}}/moto-api/rules/{name}"] = answer
