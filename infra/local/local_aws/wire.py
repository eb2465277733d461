"""HTTP/1.1 for a WSGI application, on loopback: connections stay open, as AWS keeps them, and can end without an answer.
Calls of this process itself reach it without one.

Werkzeug's own server closes every connection.
"""

import io
import logging
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from werkzeug.serving import DechunkedInput

from .faults import LostAnswer

#: Statuses that never have a body.
BODILESS = (204, 304)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, application, port):
        self.application = application
        super().__init__(("127.0.0.1", port), Handler)
        self.port = self.server_address[1]

    def start(self):
        threading.Thread(target=self.serve_forever, name="server", daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "local-aws"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def handle_one_request(self):
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
            else:
                self._answer()
            self.wfile.flush()
        except (ConnectionError, TimeoutError):  # the client has gone
            self.close_connection = True

    def handle_expect_100(self):
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _answer(self):
        addresses = {
            "REMOTE_ADDR": self.client_address[0],
            "REMOTE_PORT": self.client_address[1],
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
        }
        environ = addresses | _environ(self.command, self.path, self.headers, self._read_body)
        try:
            self._send(*_call(self.server.application, environ))
        except LostAnswer:
            self.close_connection = True

    def _send(self, status, headers, body):
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        told = set()
        for name, value in headers:
            told.add(name.lower())
            self.send_header(name, value)
        if int(code) not in BODILESS and "content-length" not in told:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and int(code) not in BODILESS:
            self.wfile.write(body)

    def _read_body(self, environ):
        """All of it, whether the application reads it or not: the next request comes after it."""
        if "chunked" in environ.pop("HTTP_TRANSFER_ENCODING", ""):
            return DechunkedInput(self.rfile).read()
        return self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))

    def log_message(self, *_):
        pass


def _call(application, environ):
    """Status, headers and body of its answer."""
    told = {}

    def start_response(status, headers, exc_info=None):
        told.update(status=status, headers=headers)

    try:
        answer = application(environ, start_response)
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
    except LostAnswer:
        raise
    except Exception:
        logging.getLogger(__name__).exception("%s %s", environ["REQUEST_METHOD"], environ["RAW_URI"])
        return "500 Internal Server Error", [], b""
    return told["status"], told["headers"], body


def _environ(method, target, headers, read_body):
    """A request as WSGI has it. `read_body` is asked when the headers are there."""
    path, _, query = target.partition("?")
    environ = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path).encode().decode("latin1"),
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "RAW_URI": target,  # not decoded, for the keys of S3
        "SERVER_NAME": "127.0.0.1",
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    body = read_body(environ)
    return {**environ, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}


def without_connection(application):
    """A handler of botocore's `before-send`: the application answers on the caller's own thread."""
    from botocore.awsrequest import AWSResponse
    from botocore.exceptions import ConnectionClosedError
    from urllib3 import HTTPResponse

    def send(request, **_):
        url = urlsplit(request.url)
        target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        texts = {name: v.decode() if isinstance(v, bytes) else v for name, v in request.headers.items()}
        headers = {"Host": url.netloc, **texts}
        environ = {
            "REMOTE_ADDR": url.hostname,
            "SERVER_PORT": str(url.port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            **_environ(request.method, target, headers, lambda _: body),
        }
        try:
            status, headers, body = _call(application, environ)
        except LostAnswer:
            raise ConnectionClosedError(endpoint_url=request.url) from None
        code = int(status.partition(" ")[0])
        raw = HTTPResponse(io.BytesIO(body), headers, code, preload_content=False)
        return AWSResponse(request.url, code, raw.headers, raw)

    return send
