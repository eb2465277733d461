"""moto, answering faster: it was made for tests of a few calls each.

Nothing here changes what AWS would answer.
"""

import functools
import http.client
import os

#: As http.client has it.
MOST_HEADERS = 100


def before_moto():
    """What counts when moto is imported. botocore reads its data files, some of them large, once a session, and moto
    makes many sessions. And moto answers browsers, which do not ask here."""
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
    http.client.parse_headers = _headers


def install():
    from moto.core import base_backend, errors, responses
    from moto.core.responses import BaseResponse

    responses.method_names_from_class = functools.cache(_method_names(responses.method_names_from_class))
    responses.camelcase_to_underscores = functools.cache(responses.camelcase_to_underscores)
    errors.ErrorLookupFactory = functools.cache(errors.ErrorLookupFactory)  # it keeps what it has made
    BaseResponse._get_action = _once_a_request(BaseResponse._get_action)
    accounts = base_backend.BackendDict
    accounts._create_account_specific_backend = _unless_there(accounts._create_account_specific_backend)


def _headers(file, _class=http.client.HTTPMessage):
    """Python has the headers of HTTP taken apart as those of e-mails are, which takes longer than many calls."""
    message = _class()
    while (line := file.readline(65537)) not in (b"\r\n", b"\n", b""):
        if len(line) > 65536:
            raise http.client.LineTooLong("header line")
        if len(message) >= MOST_HEADERS:
            raise http.client.HTTPException(f"got more than {MOST_HEADERS} headers")
        name, _, value = line.decode("iso-8859-1").partition(":")
        message.set_raw(name, value.strip())
    return message


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


def _unless_there(create):
    """moto looks for an account, under one lock, in a list of all of them, whenever anything of it is read."""

    def created(self, account):
        if not dict.__contains__(self, account):
            create(self, account)

    return created


def dispatcher(kind, create_app):
    """moto looks for the service of a request under one lock, by trying the patterns of all services. And it serves each
    as Flask does for who debugs it, which takes every request apart once more."""

    def create(service):
        app = create_app(service)
        app.debug = False
        app.config["PROPAGATE_EXCEPTIONS"] = True
        return app

    class Dispatcher(kind):
        def get_backend_for_host(self, host):
            known = self.__dict__.setdefault("known", {})
            if host not in known:
                known[host] = super().get_backend_for_host(host)
            return known[host]

    return Dispatcher(create)
