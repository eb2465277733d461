"""moto's server with everything in place, and the few addresses of the local AWS's own."""

import json
import pathlib

from . import accounts, quick
from .clock import clock
from .faults import faults
from .journal import journal
from .needed import needed

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Application:
    """The WSGI application: `/local-aws/…` is ours, the rest is AWS."""

    def __init__(self):
        self.ready = False
        self._aws = None

    def install(self, host):
        """Puts every repair into moto. moto reads its settings when it is imported, so nothing may import it before."""
        quick.before_moto()
        accounts.make_owner_the_default()
        from moto.server import DomainDispatcherApplication, create_backend_app

        from . import (
            asynchronous,
            change_sets,
            engine,
            events,
            journal,
            objects,
            resources,
            rules,
            schedules,
            timestamps,
            unsupported,
            versions,
        )

        timestamps.install()
        unsupported.install()
        accounts.install()
        rules.install()
        journal.install()
        host.install()
        objects.install()
        asynchronous.install()
        events.install()
        schedules.install()
        resources.install()
        change_sets.install()
        versions.install()
        engine.install(self)
        quick.install()
        kind, create = unsupported.dispatcher(DomainDispatcherApplication), unsupported.apps(create_backend_app)
        self._aws = quick.dispatcher(kind, create)

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/local-aws/"):
            return self._own(path.removeprefix("/local-aws/"), environ, start_response)
        with clock.busy():
            return self._aws(environ, start_response)

    def _own(self, name, environ, start_response):
        method = environ["REQUEST_METHOD"]
        if name == "health":
            status, body = (200, {"ready": True}) if self.ready else (503, {"ready": False})
        elif method == "GET" and name.startswith("ended/"):
            status, body = _ended(name.removeprefix("ended/"))
        elif (method, name) not in _OWN:
            status, body = 404, {"error": f"there is no {method} /local-aws/{name}"}
        else:
            try:
                status, body = 200, _OWN[method, name](environ)
            except (ValueError, AttributeError, TypeError, LookupError, NotImplementedError, OSError) as error:
                status, body = 400, {"error": str(error)}
        answer = json.dumps(body).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
        start_response(f"{status} {'OK' if status == 200 else 'Error'}", headers)
        return [answer]


def _body(environ):
    return json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"[]")


def _update(environ):
    from . import stack

    wanted = _body(environ)
    unknown = wanted.keys() - {"functions", "parameters"}
    if unknown:
        raise ValueError(f"an update has functions and parameters, and no {', '.join(sorted(unknown))}")
    functions = pathlib.Path(wanted["functions"]) if "functions" in wanted else None
    stack.update(ROOT / "infra", functions, wanted.get("parameters", {}))
    return {}


def _ended(arn):
    from .engine import ends

    try:
        return 200, {"ended": ends.wait(arn)}
    except (LookupError, ValueError) as error:
        return 404, {"error": str(error)}


def _set_clock(body):
    unknown = set(body) - {"speed", "skips_waits"}
    if unknown or not body:
        raise ValueError(f"a clock has speed and skips_waits, not {', '.join(unknown) or 'nothing'}")
    if "speed" in body:
        clock.set_speed(body["speed"])
    if "skips_waits" in body:
        clock.set_skips_waits(body["skips_waits"])


_OWN = {
    ("GET", "calls"): lambda environ: journal.all(),
    ("DELETE", "calls"): lambda environ: journal.forget(),
    ("GET", "faults"): lambda environ: faults.all(),
    ("PUT", "faults"): lambda environ: faults.replace(_body(environ)),
    ("DELETE", "faults"): lambda environ: faults.replace([]),
    ("GET", "needed"): lambda environ: needed.all(),
    ("DELETE", "needed"): lambda environ: needed.forget(),
    ("PUT", "stack"): _update,
    ("GET", "clock"): lambda environ: clock.state(),
    ("PUT", "clock"): lambda environ: _set_clock(_body(environ)),
}
