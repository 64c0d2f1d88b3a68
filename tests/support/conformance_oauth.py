"""Run by the conformance suite as its client, of its auth scenarios: the gateway is the OAuth client, and a person who says yes
to everything logs in to it where it asks for that.   python3 -m tests.support.conformance_oauth URL

The suite's servers speak plain HTTP on ports of localhost, and name each other by those URLs; the gateway takes https alone,
from origins that its policy names beforehand. So each such origin stands behind TLS under a name of its own, in the order in
which they turn up: wherever http://localhost:PORT is said in an answer it becomes https://NAME, and back in a request. Nothing else
is changed."""

import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from tests.support.conformance import NODE, PACKAGES
from tests.support.gates import Gates
from tests.support.house import BIN
from tests.support.mcp_gate import McpGate
from tests.support.tls_server import Authority
from tests.support.upstream import wait_until

HOSTS = ["suite.demo.test", *(f"issuer{n}.demo.test" for n in range(1, 5))]
CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json"  # as the suite has it
COMMAND = "gatehouse mcp login"  # in words of a gateway that wants somebody to
LOGINS = 3  # that a person has patience for
KEPT_BACK = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding", "keep-alive", "date"}


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


class Mapper(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate: tuple[str, str], port: int):
        self.ports = {HOSTS[0]: port}
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Carrier)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        request.settimeout(60)
        try:
            super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)
        except OSError:
            pass

    def outwards(self, text: str) -> str:
        """What the suite says, as the gateway is to read it."""
        def name(found: re.Match) -> str:
            port = int(found[2])
            with self.lock:
                known = next((host for host, of in self.ports.items() if of == port), None)
                if known is None:
                    known = HOSTS[len(self.ports)]
                    self.ports[known] = port
            return f"https://{known}" if found[1] == "://" else quoted(f"https://{known}")
        return re.sub(r"http(://|%3A%2F%2F)localhost(?::|%3A)(\d+)", name, text)

    def inwards(self, text: str) -> str:
        for host, port in self.ports.items():
            for form in (str, quoted):
                text = text.replace(form(f"https://{host}"), form(f"http://localhost:{port}"))
        return text


class _Carrier(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def carry(self):
        mapper: Mapper = self.server
        port = mapper.ports[self.headers["Host"].partition(":")[0]]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        kept = {name: value for name, value in self.headers.items() if name.lower() not in KEPT_BACK}
        inner = http.client.HTTPConnection("localhost", port, timeout=60)
        inner.request(self.command, mapper.inwards(self.path), mapper.inwards(body).encode() if body else None, kept)
        answer = inner.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in KEPT_BACK:
                self.send_header(name, mapper.outwards(value))
        self.send_header("Connection", "close")
        self.close_connection = True
        if "event-stream" in answer.headers.get("Content-Type", ""):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            text = mapper.outwards(answer.read().decode()).encode()
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        inner.close()

    do_GET = do_POST = do_DELETE = carry

    def log_message(self, *_):
        pass


# The person's: goes where it is sent, and comes back to the command.
BROWSER = """#!{python}
import http.client, socket, ssl, sys, urllib.parse, urllib.request
url = urllib.parse.urlsplit(sys.argv[1])
connection = http.client.HTTPSConnection(url.hostname, context=ssl.create_default_context(cafile="{ca}"))
connection._create_connection = lambda address, *more: socket.create_connection(("127.0.0.1", {port}))
connection.request("GET", url.path + "?" + url.query)
urllib.request.urlopen(connection.getresponse().headers["Location"])
"""


def oauth_of(scenario: str, context: dict) -> tuple[dict, dict]:
    """Of a policy's server, and its secrets."""
    oauth: dict = {"authorization_servers": [f"https://{host}" for host in HOSTS[1:]]}
    if scenario == "auth/basic-cimd":
        oauth["client_id"] = CLIENT_DOCUMENT
    if "client_secret" in context:
        oauth |= {"client_id": context["client_id"], "client_secret": "CLIENT_SECRET"}
    if scenario.startswith("auth/client-credentials"):
        oauth["grant"] = "client_credentials"
    return oauth, {"CLIENT_SECRET": context["client_secret"]} if "client_secret" in context else {}


def await_tools(gate: McpGate) -> None:
    """Until it lists some, or has had the time to."""
    client = gate.client()
    until = time.monotonic() + 5
    while not client.tools() and time.monotonic() < until:
        time.sleep(0.05)
    client.close()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is started here ends with it
    suite = urllib.parse.urlsplit(sys.argv[-1])
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    oauth, secrets = oauth_of(scenario, json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}"))
    with tempfile.TemporaryDirectory(prefix="gatehouse-mcp-") as made:
        directory = pathlib.Path(made)
        authority = Authority(directory / "ca")
        mapper = Mapper(authority.issue("server", *HOSTS), suite.port)
        mcp = {"servers": {"suite": {"url": f"https://{HOSTS[0]}{suite.path or '/'}", "names": "own", "oauth": oauth}},
               "tools": [{"id": "tools", "action": "allow", "server": "*", "tools": ["*"]}]}
        policy = {"resolve": {host: f"127.0.0.1:{mapper.server_port}" for host in HOSTS}}
        egress, login = f"unix:{directory / 'tools.sock'}", str(directory / "login.sock")
        own = directory / "own.json"
        own.touch(0o600)
        own.write_text(json.dumps(secrets))
        browser = directory / "browser"
        browser.write_text(BROWSER.format(python=sys.executable, ca=authority.certificate, port=mapper.server_port))
        browser.chmod(0o755)
        proxy = Gates(directory / "proxy", {"mcp": mcp, "secrets": {name: {"from": f"env:{name}"} for name in secrets}, **policy},
                      "--tools", egress, "--upstream-ca", str(authority.certificate), dlp=True,
                      secrets={"secrets": [{"name": name, "value": value} for name, value in secrets.items()]})
        try:
            gate = McpGate(directory / "gate", mcp, secrets, options=("--proxy", egress, "--login", f"unix:{login}",
                                                                      "--client-secrets", str(own)), **policy)
            try:
                for _ in range(LOGINS):
                    if "grant" not in oauth:
                        wait_until(lambda: COMMAND in gate.log(), 20, "the server's challenge")
                        person = subprocess.run([str(BIN / "gatehouse"), "mcp", "login", "suite", "--socket", login, "--browser",
                                                 str(browser)], capture_output=True, text=True, timeout=30)
                        print(person.stdout, person.stderr)
                        if person.returncode:
                            return 1
                    refused = gate.log().count(COMMAND)
                    await_tools(gate)
                    client = subprocess.run([str(NODE), "client.mjs", f"http://127.0.0.1:{gate.port}/mcp"], cwd=PACKAGES,
                                            capture_output=True, text=True, env={**os.environ, "PATH": "/usr/bin:/bin"})
                    print(client.stdout, client.stderr)
                    if "grant" in oauth or (COMMAND not in client.stdout and gate.log().count(COMMAND) == refused):
                        break
                return client.returncode
            finally:
                print(gate.log()[-3000:], file=sys.stderr)
                gate.close()
        finally:
            proxy.close()


if __name__ == "__main__":
    sys.exit(main())
