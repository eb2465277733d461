"""AWS Marketplace: who is subscribed to which products."""

from . import pages
from .errors import ec2
from .hidden_codes import hidden_of
from .registry import rule

_subscribed = {}


def set_subscriptions(accounts):
    """The product codes that accounts are subscribed to, `{"222222222222": ["code"]}`.

    An account that is not named is subscribed to the products of its own images, since it has launched them.
    """
    _subscribed.clear()
    _subscribed.update({account: set(codes) for account, codes in accounts.items()})


def subscriptions():
    return {account: sorted(codes) for account, codes in _subscribed.items()}


def check(image, account):
    """Refuses to launch what the account is not subscribed to."""
    shown = [code["ProductCodeId"] for code in image.product_codes if code["ProductCodeType"] == "marketplace"]
    for code in [*shown, *hidden_of(image)]:
        if not _is_subscribed(image, account, code):
            _refuse(code)


def _is_subscribed(image, account, code):
    return code in _subscribed[account] if account in _subscribed else image.owner_id == account


@rule("launch-needs-subscription", pages.ec2("RunInstances"))
def _refuse(code):
    """An image with Marketplace product codes is launched by accounts that are subscribed to the product. (A control.)"""
    raise ec2(
        "OptInRequired",
        "In order to use this AWS Marketplace product you need to accept terms and subscribe. To do so please visit "
        f"https://aws.amazon.com/marketplace/pp?sku={code}",
    )


def forget():
    _subscribed.clear()
