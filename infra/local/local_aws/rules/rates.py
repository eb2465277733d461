"""AWS's request rates."""


def take(service, operation, response):
    """Takes a token of the caller's bucket."""
