"""Upstreams over TLS with certificates of a test's own making, which keep what they were asked."""

import dataclasses
import datetime
import http.server
import pathlib
import socket
import ssl
import threading

from tests.support.upstream import openssl

CA_CONFIG = """
[ca]
default_ca = own
[own]
new_certs_dir = {dir}/issued
database = {dir}/index.txt
serial = {dir}/serial
default_md = {digest}
policy = any
unique_subject = no
email_in_dn = no
default_crl_days = 1
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
subjectAltName = {names}
extendedKeyUsage = {usage}
{more}
"""


class Authority:
    """A private CA. Certificates are files: NAME.pem and NAME.key in its directory."""

    def __init__(self, directory: pathlib.Path, name: str = "private test CA"):
        self.directory = directory
        (directory / "issued").mkdir(parents=True)
        (directory / "index.txt").touch()
        (directory / "serial").write_text("1000\n")
        self.certificate = directory / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", str(directory / "ca.key"), "-out", str(self.certificate),
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, file: str, *names: str, key: str = "ec:P-256", days: tuple[float, float] = (-1, 1), digest: str = "sha256",
              usage: str = "serverAuth", more: str = "") -> tuple[str, str]:
        """Certificate and key for `names`, valid between `days` from now; `key` is ec:CURVE or rsa:BITS."""
        at = self.directory
        kind, _, size = key.partition(":")
        options = ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{size}"] if kind == "ec" else ["-newkey", f"rsa:{size}"]
        pem, private, request, config = (str(at / f"{file}.{end}") for end in ("pem", "key", "csr", "cnf"))
        pathlib.Path(config).write_text(CA_CONFIG.format(dir=at, digest=digest, usage=usage,
                                                         names=",".join(f"DNS:{name}" for name in names), more=more))
        openssl("req", *options, "-nodes", "-subj", "/CN=upstream", "-keyout", private, "-out", request)
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = ((now + datetime.timedelta(days=day)).strftime("%Y%m%d%H%M%SZ") for day in days)
        openssl("ca", "-batch", "-notext", "-config", config, "-extensions", "leaf", "-in", request, "-out", pem,
                "-cert", str(self.certificate), "-keyfile", str(at / "ca.key"), "-startdate", begin, "-enddate", end)
        return pem, private


    def revoke(self, file: str) -> None:
        openssl("ca", "-config", str(self.directory / f"{file}.cnf"), "-cert", str(self.certificate), "-keyfile",
                str(self.directory / "ca.key"), "-revoke", str(self.directory / f"{file}.pem"))

    def revocation_list(self, config_of: str) -> str:
        path = self.directory / "crl.pem"
        openssl("ca", "-gencrl", "-config", str(self.directory / f"{config_of}.cnf"), "-cert", str(self.certificate),
                "-keyfile", str(self.directory / "ca.key"), "-out", str(path))
        return path.read_text()

    def status_of(self, file: str) -> str:
        """An OCSP response about a certificate, as a file."""
        at = self.directory
        request, response = str(at / f"{file}.req"), str(at / f"{file}.ocsp")
        openssl("ocsp", "-issuer", str(self.certificate), "-cert", str(at / f"{file}.pem"), "-reqout", request, "-no_nonce")
        openssl("ocsp", "-index", str(at / "index.txt"), "-CA", str(self.certificate), "-rsigner", str(self.certificate),
                "-rkey", str(at / "ca.key"), "-reqin", request, "-respout", response, "-ndays", "1", "-no_nonce")
        return response


@dataclasses.dataclass
class Asked:
    host: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class TlsServer(http.server.ThreadingHTTPServer):
    """Answers with what answer(asked) gives, (status, headers, pieces of the body), or else with an echo of the request."""

    daemon_threads = True

    def __init__(self, certificate: tuple[str, str], client_ca: str = "", version: ssl.TLSVersion | None = None):
        self.asked: list[Asked] = []
        self.connections = 0
        self.answer = lambda asked: None
        self.peers: list[dict] = []         # the certificate of each client, if it showed one
        self.resumed: list[bool] = []
        self.versions: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # it is not this side that is to refuse
        if version:
            context.minimum_version = context.maximum_version = version
        context.load_cert_chain(*certificate)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        self.context = context
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)

    def finish_request(self, request, client_address):
        request.settimeout(20)
        try:
            stream = self.context.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            return
        self.peers.append(stream.getpeercert() or {})
        self.resumed.append(stream.session_reused)
        self.versions.append(stream.version())
        super().finish_request(stream, client_address)
        try:
            stream.unwrap()
        except (ssl.SSLError, OSError):
            pass

    def handle_error(self, request, client_address):
        pass

    def close(self):
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.headers["Host"], self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.asked.append(asked)
        echo = f"{asked.method} {asked.path}\n" + "".join(f"{k}: {v}\n" for k, v in asked.headers.items())
        status, headers, pieces = self.server.answer(asked) or (200, {"Content-Type": "text/plain"}, [echo.encode() + body])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if len(pieces) == 1:
            self.send_header("Content-Length", str(len(pieces[0])))
            self.end_headers()
            self.wfile.write(pieces[0])
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve

    def log_message(self, *_):
        pass
