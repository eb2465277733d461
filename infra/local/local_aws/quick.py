"""moto, answering faster: it was made for tests of a few calls each.

Nothing here changes an answer.
"""

import functools


def read_models_once():
    """botocore reads its data files, some of them large, once a session; moto makes many sessions as it is imported."""
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def install():
    from moto.core import responses
    from moto.core.responses import BaseResponse

    responses.method_names_from_class = functools.cache(_method_names(responses.method_names_from_class))
    responses.camelcase_to_underscores = functools.cache(responses.camelcase_to_underscores)
    BaseResponse._get_action = _once_a_request(BaseResponse._get_action)


def _method_names(method_names_from_class):
    """moto lists the methods of a class, over a thousand for EC2, at every call."""

    def names(kind):
        return frozenset(method_names_from_class(kind))

    return names


def _once_a_request(get_action):
    """The action of a request does not change; moto finds it out again and again."""

    def action(self):
        found = self.__dict__.get("local_aws_action")
        if found is None or found[0] is not self.normalized_request:
            found = self.local_aws_action = (self.normalized_request, get_action(self))
        return found[1]

    return action


def dispatcher(kind, create_app):
    """moto looks for the service of a request under one lock, by trying the patterns of all services."""

    class Dispatcher(kind):
        def get_backend_for_host(self, host):
            known = self.__dict__.setdefault("known", {})
            if host not in known:
                known[host] = super().get_backend_for_host(host)
            return known[host]

    return Dispatcher(create_app)
