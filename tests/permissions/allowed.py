"""What the deployed roles allow: the owner's stack's, and the receiver's."""

import copy
import json

from local_server import OWNER
from world import RECEIVERS

RECEIVER_ROLE = "AmiBakeryReceiver"


def documents(world, account):
    """Every policy of the stack's roles in an account: role, name of the policy, document."""
    iam = world.client("iam", account)
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if name == RECEIVER_ROLE or name.startswith("ami-bakery-"):
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                yield name, policy, iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]


def everything(world):
    """Role, Sid, actions and resources of every statement."""
    found = [one for account in (OWNER, RECEIVERS[0]) for one in documents(world, account)]
    for role, _, document in found:
        for statement in document["Statement"]:
            yield role, statement["Sid"], listed(statement["Action"]), listed(statement["Resource"])


def needed(world):
    """Role and Sid with each action, and each resource, that alone allowed a call."""
    found = set()
    for one in world.server.own("GET", "needed"):
        role, sid = one["role"].rpartition("/")[2], one["sid"]
        found |= {(role, sid, one["action"]), (role, sid, one["resource"])}
    return found


def listed(value):
    return value if isinstance(value, list) else [value]


def take_away(world, role, sid, action):
    """The role may no longer do this by this statement, in whichever account it is."""
    for account in (OWNER, *RECEIVERS):
        for name, policy, document in list(documents(world, account)):
            without = copy.deepcopy(document)
            for statement in without["Statement"]:
                if (name, statement["Sid"]) == (role, sid):
                    statement["Action"] = [one for one in listed(statement["Action"]) if one != action]
            without["Statement"] = [one for one in without["Statement"] if one["Action"]]
            ask = {"RoleName": name, "PolicyName": policy}
            if not without["Statement"]:
                world.client("iam", account).delete_role_policy(**ask)
            elif without != document:
                world.client("iam", account).put_role_policy(**ask, PolicyDocument=json.dumps(without))
