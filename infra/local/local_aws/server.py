"""moto's server with everything in place, and the few addresses of the local AWS's own."""

import json
import logging
import socket
import threading

from . import accounts, journal
from .clock import clock


class Application:
    """The WSGI application: `/local-aws/…` is ours, the rest is AWS."""

    def __init__(self):
        self.ready = False
        self._aws = None

    def install(self, endpoint, host):
        """Puts every repair into moto. moto reads its settings when it is imported, so nothing may import it before."""
        accounts.make_owner_the_default()
        from moto.server import DomainDispatcherApplication, create_backend_app

        from . import engine, events, rules

        accounts.install()
        journal.install()
        host.install()
        events.install()
        engine.install(endpoint)
        rules.install()
        self._aws = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if path.startswith("/local-aws/"):
            return self._own(path.removeprefix("/local-aws/"), environ, start_response)
        with clock.busy():
            try:
                return self._aws(environ, start_response)
            except journal.LostAnswer:
                # The caller sees the connection close without an answer.
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                start_response("500 Internal Server Error", [])
                return [b""]
            except Exception:
                logging.getLogger(__name__).exception("%s %s", environ["REQUEST_METHOD"], path)
                raise

    def _own(self, name, environ, start_response):
        handler = _HANDLERS.get((environ["REQUEST_METHOD"], name))
        if name == "health":
            status, body = (200, {"ready": True}) if self.ready else (503, {"ready": False})
        elif handler is None:
            status, body = 404, {"error": f"there is no {environ['REQUEST_METHOD']} /local-aws/{name}"}
        else:
            try:
                status, body = 200, handler(environ)
            except (ValueError, AttributeError, TypeError) as error:
                status, body = 400, {"error": str(error)}
        answer = json.dumps(body).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
        start_response(f"{status} {'OK' if status == 200 else 'Error'}", headers)
        return [answer]


def _body(environ):
    return json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"[]")


_HANDLERS = {
    ("GET", "calls"): lambda environ: journal.journal.all(),
    ("DELETE", "calls"): lambda environ: journal.journal.forget(),
    ("GET", "faults"): lambda environ: journal.faults.all(),
    ("PUT", "faults"): lambda environ: journal.faults.replace(_body(environ)),
    ("DELETE", "faults"): lambda environ: journal.faults.replace([]),
    ("GET", "clock"): lambda environ: clock.state(),
}


def listen(application, port):
    """Serves on loopback, on a thread of its own; gives the server, whose `port` is then known."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # keeps connections alive
        disable_nagle_algorithm = True

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    return server
