"""Run by the conformance suite as its client: puts the gateway, and the proxy through which it reaches servers over HTTP,
between the suite's server and our client.   python3 -m tests.support.conformance_upstream URL"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import urllib.parse

from tests.support.conformance import NODE, PACKAGES
from tests.support.gates import Gates
from tests.support.mcp_gate import McpGate
from tests.support.tls_server import Authority
from tests.support.tls_terminator import TlsTerminator

HOST = "suite.demo.test"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is started here ends with it
    suite = urllib.parse.urlsplit(sys.argv[-1])
    with tempfile.TemporaryDirectory(prefix="gatehouse-mcp-") as made:
        directory = pathlib.Path(made)
        authority = Authority(directory / "ca")
        terminator = TlsTerminator(authority.issue("server", HOST), suite.port)
        mcp = {"servers": {"suite": {"url": f"https://{HOST}{suite.path or '/'}", "names": "own",
                                     "asks": ["elicitation", "sampling", "roots"]}},
               "tools": [{"id": "tools", "action": "allow", "server": "*", "tools": ["*"]}],
               "resources": [{"id": "resources", "action": "allow", "server": "*", "uris": ["**"]}],
               "prompts": [{"id": "prompts", "action": "allow", "server": "*", "prompts": ["*"]}]}
        resolve = {HOST: f"127.0.0.1:{terminator.port}"}
        egress = f"unix:{directory / 'tools.sock'}"
        proxy = Gates(directory / "proxy", {"mcp": mcp, "resolve": resolve}, "--tools", egress, "--upstream-ca",
                      str(authority.certificate))  # what it carries the gateway has had scanned
        try:
            gate = McpGate(directory / "gate", mcp, options=("--proxy", egress), resolve=resolve,
                           dlp={"deny": ["credentials", "injection"]})
            try:
                # A client that leaves at once would end the gateway before it has greeted the suite's server.
                greeted = gate.client()
                greeted.tools()
                greeted.close()
                return subprocess.run([str(NODE), "client.mjs", f"http://127.0.0.1:{gate.port}/mcp"], cwd=PACKAGES,
                                      env={**os.environ, "PATH": "/usr/bin:/bin"}).returncode
            finally:
                gate.close()
        finally:
            proxy.close()


if __name__ == "__main__":
    sys.exit(main())
