"""Official peers with the MCP gateway between them: what the official client gets of the official servers directly, it
gets through the gateway, over lines and over HTTP."""

import json
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from tests.support.conformance import inspect, run_peer
from tests.support.mcp_gate import McpGate
from tests.support.mcp_peers import node_server, run_client
from tests.support.upstream import wait_until

EVERYTHING = [["echo", {"message": "hello"}], ["get-sum", {"a": 2, "b": 3}], ["get-tiny-image", {}],
              ["get-structured-content", {"location": "Chicago"}], ["get-annotated-message", {"messageType": "error"}],
              ["get-resource-reference", {"resourceType": "Text", "resourceId": 1}], ["get-sum", {"a": "two"}],
              ["trigger-long-running-operation", {"duration": 0.4, "steps": 4}]]
CLOCK = re.compile(r"\d+:\d\d:\d\d [AP]M")  # in what a resource says
DENIED = [["get-env", {}], ["no-such-tool", {}]]
# Standard streams to a Unix socket, as `gatehouse-guest mcp` does in a guest.
RELAY = """
import socket, sys, threading
host = socket.socket(socket.AF_UNIX)
host.connect(sys.argv[1])
def up():
    while piece := sys.stdin.buffer.raw.read(65536):
        host.sendall(piece)
    host.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while piece := host.recv(65536):
    sys.stdout.buffer.raw.write(piece)
"""


def said(answers: list) -> str:
    """Without what the time changes, and with resources under their own URIs."""
    return CLOCK.sub("", json.dumps(answers, sort_keys=True)).replace('"everything+demo:', '"demo:')


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        files = cls.directory / "docs"
        files.mkdir()
        (files / "note.txt").write_text("hello from the host\n")
        cls.everything = node_server("server-everything")
        cls.files = node_server("server-filesystem", str(files))
        cls.file_calls = [["read_text_file", {"path": str(files / "note.txt")}], ["list_directory", {"path": str(files)}],
                          ["read_text_file", {"path": "/etc/hostname"}]]
        cls.gate = McpGate(
            cls.directory / "gate",
            {"servers": {"everything": cls.everything, "files": cls.files},
             "tools": [{"id": "all", "action": "allow", "server": "*", "tools": ["*"]},
                       {"id": "no-env", "action": "deny", "server": "everything", "tools": ["get-env"]},
                       {"id": "no-shouting", "action": "deny", "server": "everything", "tools": ["echo"],
                        "arguments": {"/message": {"glob": "*!!!"}}}]},
            dlp={"deny": ["credentials"]})
        cls.addClassCleanup(cls.gate.close)
        client = cls.gate.client()
        cls.addClassCleanup(client.close)
        wait_until(lambda: {"everything__echo", "files__read_text_file"} <= set(client.tools()), 60, "both servers")

    def compare(self, where: dict) -> None:
        for name, server, calls in (("everything", self.everything, EVERYTHING), ("files", self.files, self.file_calls)):
            command, *args = server["command"]
            direct = run_client({"command": command, "args": args}, calls)
            through = run_client(where, [[f"{name}__{tool}", arguments] for tool, arguments in calls])
            self.assertEqual({tool.removeprefix(f"{name}__") for tool in through["tools"] if tool.startswith(name)},
                             set(direct["tools"]) - {"get-env"})
            self.assertEqual(*(said(told["answers"]) for told in (through, direct)))
            # The last one may come with the result, when nobody asks for progress any more.
            steps = [[note["progress"] for note in told["progress"]][:3] for told in (through, direct)]
            self.assertEqual(*steps)

    def test_over_http_the_same_comes_through(self):
        self.compare({"url": f"http://127.0.0.1:{self.gate.port}/mcp"})

    def test_over_standard_streams_the_same_comes_through(self):
        self.compare({"command": sys.executable, "args": ["-c", RELAY, self.gate.socket]})

    def test_what_is_denied_is_so_in_words_that_the_client_shows(self):
        before = len(self.gate.rows(tool="get-env", rule_id="no-env"))
        told = run_client({"url": f"http://127.0.0.1:{self.gate.port}/mcp"},
                          [[f"everything__{tool}", arguments] for tool, arguments in DENIED])
        for answer, rule in zip(told["answers"], ("no-env", "mcp.unlisted")):
            self.assertIn(rule, answer["error"])
            self.assertIn("Gatehouse denied the call", answer["error"])
        self.assertEqual(len(self.gate.rows(tool="get-env", rule_id="no-env")), before + 1)

    def test_the_client_of_the_second_sdk_gets_the_same(self):
        command, *args = self.everything["command"]
        direct = run_peer({"command": command, "args": args}, "legacy",
                          [["tools/call", {"name": tool, "arguments": arguments}] for tool, arguments in EVERYTHING])
        calls = [["tools/call", {"name": f"everything__{tool}", "arguments": arguments}]
                 for tool, arguments in EVERYTHING + DENIED]
        for where in ({"url": f"http://127.0.0.1:{self.gate.port}/mcp"},
                      {"command": sys.executable, "args": ["-c", RELAY, self.gate.socket]}):
            for mode in ("legacy", "auto"):
                with self.subTest(mode=mode, **where):
                    before = len(self.gate.rows(tool="get-env", rule_id="no-env"))
                    through = run_peer(where, mode, calls)
                    answers = [{key: value for key, value in answer.items() if key != "_meta"} for answer in through["answers"]]
                    self.assertEqual(*(said(told) for told in (answers[:len(EVERYTHING)], direct["answers"])))
                    for answer, rule in zip(answers[len(EVERYTHING):], ("no-env", "mcp.unlisted")):
                        self.assertIn(rule, answer["error"])
                        self.assertIn("Gatehouse denied the call", answer["error"])
                    self.assertEqual(len(self.gate.rows(tool="get-env", rule_id="no-env")), before + 1)

    def test_the_inspector_lists_calls_and_is_denied_in_words(self):
        for where in ([f"http://127.0.0.1:{self.gate.port}/mcp"], [sys.executable, "-c", RELAY, self.gate.socket]):
            def told(*what: str) -> dict:
                done = inspect(self.directory, "--format", "json", "--quiet", "--method", *what, *where)
                self.assertEqual(done.returncode == 0, bool(done.stdout), done.stderr)
                return json.loads(done.stdout or done.stderr)
            tools = [tool["name"] for tool in told("tools/list")["result"]["tools"]]
            self.assertIn("files__read_text_file", tools)
            self.assertNotIn("everything__get-env", tools)
            before = len(self.gate.rows())

            def echo(words: str) -> dict:
                return told("tools/call", "--tool-name", "everything__echo", "--tool-args-json", json.dumps({"message": words}))
            self.assertEqual(echo("hello")["result"]["content"], [{"type": "text", "text": "Echo: hello"}])
            denied = echo("hello!!!")["error"]["message"]
            self.assertIn("Gatehouse denied the call", denied)
            self.assertIn("no-shouting", denied)
            rows = [(row["tool"], row["verdict"], row["rule_id"]) for row in self.gate.rows()[before:]]
            self.assertEqual(rows, [("echo", "allow", "all"), ("echo", "deny", "no-shouting")])


if __name__ == "__main__":
    unittest.main()
