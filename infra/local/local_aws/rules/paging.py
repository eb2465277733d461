"""Pages of Describe calls."""

import base64

from . import pages
from .errors import ec2
from .registry import rule


@rule("describe-pages", pages.ec2("DescribeImages"), without=lambda response, items: (items, None))
def page(response, items):
    """With MaxResults a Describe call answers a page at a time, and NextToken as long as there is more."""
    most, token = response._get_param("MaxResults"), response._get_param("NextToken")
    start = _start(token) if token else 0
    if most is None and not token:
        return items, None
    end = start + (most or 1000)
    following = base64.b64encode(f"after {end}".encode()).decode() if end < len(items) else None
    return items[start:end], following


def _start(token):
    try:
        return int(base64.b64decode(token).decode().removeprefix("after "))
    except ValueError:
        raise ec2("InvalidNextToken", "The token is not valid") from None
