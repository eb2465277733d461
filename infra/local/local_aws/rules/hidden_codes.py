"""Marketplace product codes that nothing shows, by a control: only CopyImage to another account, and a launch without
a subscription, reveal them. What is made from an image or instance inherits them."""

from moto.ec2.models import ec2_backends


def _things():
    """Every image and instance, by id."""
    backends = [backend for account in list(ec2_backends.values()) for backend in list(account.values())]
    images = {one.id: one for backend in backends for one in list(backend.amis.values())}
    return images | {one.id: one for backend in backends for one in backend.all_instances()}


def hidden_of(thing):
    """The product codes that an image or instance has and does not show."""
    return thing.hidden_codes if thing.id.startswith("ami-") else thing.image_nature["hidden_codes"]


def set_hidden_codes(codes):
    """Gives images and instances hidden product codes, `{"i-0123456789abcdef0": ["code"]}`."""
    things = _things()
    unknown = set(codes) - set(things)
    if unknown:
        raise KeyError(f"no such image or instance: {', '.join(sorted(unknown))}")
    for thing_id, hidden in codes.items():
        if thing_id.startswith("ami-"):
            things[thing_id].hidden_codes = tuple(hidden)
        else:
            things[thing_id].image_nature["hidden_codes"] = tuple(hidden)


def hidden_codes():
    return {thing.id: list(hidden_of(thing)) for thing in _things().values() if hidden_of(thing)}
