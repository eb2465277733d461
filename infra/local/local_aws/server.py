"""moto's server with everything in place, and the few addresses of the local AWS's own."""

import json
import logging
import socket
import threading
from contextlib import nullcontext

from . import accounts, quick
from .clock import clock
from .faults import LostAnswer, faults
from .journal import journal
from .workers import WORK_HEADER, WORK_TOKEN


class Application:
    """The WSGI application: `/local-aws/…` is ours, the rest is AWS."""

    def __init__(self):
        self.ready = False
        self._aws = None

    def install(self, endpoint, host):
        """Puts every repair into moto. moto reads its settings when it is imported, so nothing may import it before."""
        quick.read_models_once()
        accounts.make_owner_the_default()
        from moto.server import DomainDispatcherApplication, create_backend_app

        from . import engine, events, journal, objects, rules, timestamps

        timestamps.install()
        accounts.install()
        journal.install()
        host.install()
        objects.install()
        events.install()
        engine.install(endpoint)
        rules.install()
        quick.install()
        self._aws = quick.dispatcher(DomainDispatcherApplication, create_backend_app)

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/local-aws/"):
            return self._own(path.removeprefix("/local-aws/"), environ, start_response)
        with clock.busy(), self._caller_at_work(environ):
            try:
                return self._aws(environ, start_response)
            except LostAnswer:
                # The caller sees the connection close without an answer.
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                start_response("500 Internal Server Error", [])
                return [b""]
            except Exception:
                logging.getLogger(__name__).exception("%s %s", environ["REQUEST_METHOD"], path)
                raise

    @staticmethod
    def _caller_at_work(environ):
        """The engine works while it waits for an answer, unless the call that it waits for is made to wait itself."""
        is_engine = environ.get("HTTP_" + WORK_HEADER.upper().replace("-", "_")) == WORK_TOKEN
        return clock.on_behalf() if is_engine else nullcontext()

    def _own(self, name, environ, start_response):
        method = environ["REQUEST_METHOD"]
        if name == "health":
            status, body = (200, {"ready": True}) if self.ready else (503, {"ready": False})
        elif (method, name) not in _OWN:
            status, body = 404, {"error": f"there is no {method} /local-aws/{name}"}
        else:
            try:
                status, body = 200, _OWN[method, name](environ)
            except (ValueError, AttributeError, TypeError) as error:
                status, body = 400, {"error": str(error)}
        answer = json.dumps(body).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
        start_response(f"{status} {'OK' if status == 200 else 'Error'}", headers)
        return [answer]


def _body(environ):
    return json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"[]")


_OWN = {
    ("GET", "calls"): lambda environ: journal.all(),
    ("DELETE", "calls"): lambda environ: journal.forget(),
    ("GET", "faults"): lambda environ: faults.all(),
    ("PUT", "faults"): lambda environ: faults.replace(_body(environ)),
    ("DELETE", "faults"): lambda environ: faults.replace([]),
    ("GET", "clock"): lambda environ: clock.state(),
}


def listen(application, port):
    """Serves on loopback, on a thread of its own; gives the server, whose `port` is then known."""
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # It warns of what it lacks, also where that is mended here.
    logging.getLogger("moto.stepfunctions").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=quick.Handler)
    server.daemon_threads = True
    server.request_queue_size = 1024
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    return server
