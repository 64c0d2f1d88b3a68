"""The official server of everything over HTTP, TLS before it, and proxy and MCP gateway between it and the official client:
what comes through is what the client gets of it directly."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from tests.e2e.test_mcp_peers import EVERYTHING, said
from tests.support.gates import Gates
from tests.support.mcp_gate import McpGate
from tests.support.mcp_peers import node_server, run_client
from tests.support.tls_server import Authority
from tests.support.tls_terminator import TlsTerminator
from tests.support.upstream import free_port, wait_until

HOST = "everything.demo.test"


class HttpPeers(unittest.TestCase):
    def setUp(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        self.addCleanup(shutil.rmtree, directory)
        port = free_port()
        command = node_server("server-everything", "streamableHttp")["command"]
        server = subprocess.Popen(command, env={**os.environ, "PORT": str(port)}, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (server.kill(), server.wait()))
        authority = Authority(directory / "ca")
        terminator = TlsTerminator(authority.issue("server", HOST), port)
        self.addCleanup(terminator.close)
        self.direct = f"http://127.0.0.1:{port}/mcp"
        policy = {"mcp": {"servers": {"everything": {"url": f"https://{HOST}/mcp"}},
                          "tools": [{"id": "all", "action": "allow", "server": "*", "tools": ["*"]}]},
                  "resolve": {HOST: f"127.0.0.1:{terminator.port}"}, "dlp": {"deny": ["credentials"]}}
        egress = f"unix:{directory}/tools.sock"
        self.proxy = Gates(directory / "proxy", policy, "--tools", egress, "--upstream-ca", str(authority.certificate), dlp=True)
        self.addCleanup(self.proxy.close)
        self.gate = McpGate(directory / "gate", options=("--proxy", egress), **policy)
        self.addCleanup(self.gate.close)
        client = self.gate.client()
        self.addCleanup(client.close)
        wait_until(lambda: "everything__echo" in client.tools(), 60, "the server")

    def test_the_same_comes_through(self):
        direct = run_client({"url": self.direct}, EVERYTHING)
        through = run_client({"url": f"http://127.0.0.1:{self.gate.port}/mcp"},
                             [[f"everything__{tool}", arguments] for tool, arguments in EVERYTHING])
        self.assertEqual({tool.removeprefix("everything__") for tool in through["tools"]}, set(direct["tools"]))
        self.assertEqual(*(said(told["answers"]) for told in (through, direct)))
        self.assertEqual(*([note["progress"] for note in told["progress"]][:3] for told in (through, direct)))
        self.assertEqual({row["rule_id"] for row in self.proxy.rows(host=HOST)}, {"mcp.server"})


if __name__ == "__main__":
    unittest.main()
