"""An AWS that refuses every call but the one for the stack's limits, at once, over HTTP and over TLS: for what a
function costs by itself."""

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

XML = {
    "ec2": "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>",
    "s3": "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
    "query": "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
}
JSON = '{"__type": "AccessDeniedException", "message": "no", "Message": "no"}'
LIMITS = {"Parameter": {"Value": json.dumps({"ReceiverAccounts": "*", "AllowShareOnly": "true"})}}


class Stub:
    """Serves until it is closed. `calls` has the seconds from the first line of each request to its sent answer."""

    def __init__(self, folder):
        self.calls, self._under_way = [], 0
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One packet an answer: with two, each waits 40 ms for an acknowledgement.
            wbufsize, disable_nagle_algorithm = -1, True

            def parse_request(self):
                self.begun = time.perf_counter()
                stub._under_way += 1
                return super().parse_request()

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, kind, body = answer(self.headers)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())
                self.wfile.flush()
                stub.calls.append(time.perf_counter() - self.begun)
                stub._under_way -= 1

            do_GET = do_PUT = do_DELETE = do_HEAD = do_POST

            def log_message(self, *_):
                pass

        self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
        for server in self._servers:
            server.daemon_threads = True
        self.authority = certify(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._servers[1].socket = context.wrap_socket(self._servers[1].socket, server_side=True)
        self.urls = {
            scheme: f"{scheme}://127.0.0.1:{server.server_port}"
            for scheme, server in zip(("http", "https"), self._servers, strict=True)
        }
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def settle(self):
        """Waits until each answer is in `calls`: its caller may have it sooner."""
        while self._under_way:
            time.sleep(0.0001)

    def close(self):
        for server in self._servers:
            server.shutdown()


def answer(headers):
    """In the words of the protocol of the service that is asked."""
    if headers.get("X-Amz-Target") == "AmazonSSM.GetParameter":
        return 200, "application/x-amz-json-1.1", json.dumps(LIMITS)
    scope = headers.get("Authorization", "").partition("Credential=")[2].split("/")
    service = scope[3] if len(scope) > 3 else ""
    if "X-Amz-Target" in headers:
        return 400, "application/x-amz-json-1.1", JSON
    return 403, "text/xml", XML.get(service, XML["query"])


def certify(folder):
    """Makes an authority and a certificate of localhost, and returns where the authority's is."""
    now = datetime.datetime.now(datetime.UTC)

    def made(name, key, issuer, issuer_key, is_authority):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(9))
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), True)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(issuer_key, hashes.SHA256())

    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = made("bench authority", authority_key, None, authority_key, True)
    server = made("localhost", server_key, authority.subject, authority_key, False)
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(authority.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(server_key.private_bytes(pem, *plain))
    return folder / "authority.pem"
