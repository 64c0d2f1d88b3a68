"""The MCP gateway over HTTP: a client of ours, hostile ones, and the official one."""

import concurrent.futures
import http.client
import json
import pathlib
import shutil
import socket
import tempfile
import unittest

from tests.support.mcp_gate import HttpClient, McpGate, events, server
from tests.support.mcp_peers import run_client
from tests.support.upstream import wait_until

TOKEN = "ghp_" + "A1b2C3d4E5f6" * 3  # made up
RULES = [{"id": "files", "action": "allow", "server": "files", "tools": ["read_*", "echo"]},
         {"id": "no-etc", "action": "deny", "server": "*", "tools": ["*"], "arguments": {"/path": {"path": "/etc/**"}}}]


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.seen = cls.directory / "seen"
        cls.gate = McpGate(cls.directory / "gate", {"servers": {"files": server("good", cls.seen, call_time="20s")},
                                                    "tools": RULES}, dlp={"deny": ["credentials"]})
        cls.addClassCleanup(cls.gate.close)

    def setUp(self):
        self.client = HttpClient(self.gate.port)
        wait_until(lambda: "result" in self.client.call("files__echo", {"text": "up"}), 30, "the server")

    def test_a_session_lists_calls_and_is_denied_with_its_rows(self):
        self.assertEqual(self.client.greeting["protocolVersion"], "2025-11-25")
        tools = [tool["name"] for tool in self.client.ask("tools/list")["result"]["tools"]]
        self.assertEqual(tools, ["files__echo", "files__read_file"])
        self.assertEqual(self.client.call("files__echo", {"text": "hello"})["result"]["content"][0]["text"], "echo: hello")
        for tool, arguments, rule in (("files__read_file", {"path": "/etc/shadow-9"}, "no-etc"),
                                      ("files__write_file", {"path": "/x"}, "default-deny"),
                                      ("files__echo", {"text": TOKEN}, "dlp.github-pat")):
            error = self.client.call(tool, arguments)["error"]
            self.assertEqual((error["code"], error["data"]["rule"]), (403, rule))
            self.assertEqual(len(self.gate.rows(event_id=error["data"]["event_id"], verdict="deny")), 1)
        self.assertNotIn("shadow-9", self.seen.read_text())
        self.assertNotIn(TOKEN, self.seen.read_text())

    def test_a_clients_token_goes_nowhere(self):
        client = HttpClient(self.gate.port, headers={"Authorization": "Bearer made-up-bearer-hunter2-not-a-token", "Cookie": "made-up=hunter2-not-a-token",
                                                     "X-Api-Key": "made-up-key-hunter2-not-a-token"})
        self.assertIn("result", client.call("files__echo", {"text": "with a token"}))
        self.assertNotIn("hunter2-not-a-token", self.seen.read_text())
        self.assertNotIn("hunter2-not-a-token", self.gate.log())
        self.assertNotIn("hunter2-not-a-token", repr(self.gate.rows()))

    def test_pages_of_other_sites_are_denied_before_anything_is_read(self):
        greeting = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
                    "params": {"protocolVersion": "2025-11-25", "capabilities": {}}}
        for headers in ({"Origin": "https://evil.example"}, {"Host": f"evil.example:{self.gate.port}"}, {"Origin": "null"}):
            status, answer, text = HttpClient(self.gate.port, None).post(greeting, **headers)
            self.assertEqual(status, 403, headers)
            self.assertNotIn("Mcp-Session-Id", answer)
            error = json.loads(text)["error"]
            self.assertEqual(error["data"]["rule"], "mcp.origin")
            self.assertEqual(len(self.gate.rows(event_id=error["data"]["event_id"], rule_id="mcp.origin")), 1)
        own = HttpClient(self.gate.port, headers={"Origin": f"http://localhost:{self.gate.port}"})
        self.assertEqual(own.ask("ping")["result"], {})

    def test_a_stream_that_breaks_is_taken_up_where_it_was(self):
        message = {"jsonrpc": "2.0", "id": 99, "method": "tools/call",
                   "params": {"name": "files__read_file", "arguments": {"path": "/progress"},
                              "_meta": {"progressToken": "mine"}}}
        answer = self.client.begin("POST", json.dumps(message))
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        text = ""
        while len(events(text)) < 2:
            text += answer.readline().decode()
        answer.close()
        (_, priming), (last, note) = events(text)[:2]
        self.assertIsNone(priming)
        self.assertEqual(note["params"]["progressToken"], "mine")
        with self.client.begin("GET", **{"Last-Event-ID": last}) as rest:
            told = events(rest.read().decode())
        self.assertEqual([event["id"] for _, event in told if event], [99])
        self.assertIn("done", json.dumps(told[-1]))

    def test_a_session_that_is_ended_is_unknown(self):
        with self.client.begin("DELETE") as answer:
            self.assertEqual(answer.status, 204)
        self.assertEqual(self.client.post({"jsonrpc": "2.0", "id": 1, "method": "ping"})[0], 404)

    def test_what_is_no_http_or_none_of_its_requests_is_refused(self):
        post = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"
        for request, status in ((post + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                                (post + b"Content-Length: 99999999\r\n\r\n", 413),
                                (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
                                (b"GET http://evil.example/mcp HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
                                (b"GARBAGE\r\n\r\n", 400)):
            with socket.create_connection(("127.0.0.1", self.gate.port), 20) as raw:
                raw.sendall(request)
                answer = http.client.HTTPResponse(raw)
                answer.begin()
                self.assertEqual(answer.status, status, request)
                self.assertIn("error", json.loads(answer.read()))
        for first in (b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n', b"\x16\x03\x01"):  # lines, TLS: not on TCP
            with socket.create_connection(("127.0.0.1", self.gate.port), 20) as raw:
                raw.sendall(first)
                self.assertEqual(raw.recv(100), b"")

    def test_many_clients_at_once_are_kept_apart(self):
        clients = [HttpClient(self.gate.port) for _ in range(40)]
        def speak(number: int) -> set[str]:
            answers = [clients[number].call("files__echo", {"text": f"{number}."}) for _ in range(5)]
            return {answer["result"]["content"][0]["text"] for answer in answers}
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            self.assertEqual(list(pool.map(speak, range(40))), [{f"echo: {number}."} for number in range(40)])

    def test_lines_and_http_are_told_apart_on_one_socket(self):
        lines = self.gate.client()
        self.addCleanup(lines.close)
        self.assertIn("files__echo", lines.tools())
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(20)
            raw.connect(self.gate.socket)
            raw.sendall(b"DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(raw.recv(1000).startswith(b"HTTP/1.1 400 "))

    def test_batches_are_taken_where_the_revision_has_them(self):
        call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "files__echo", "arguments": {"text": "x"}}}
        batch = json.dumps([{**call, "id": 1}, {"jsonrpc": "2.0", "method": "notifications/unknown"}, {**call, "id": "1"}])
        for revision, taken in (("2025-03-26", True), ("2025-06-18", False)):
            client = HttpClient(self.gate.port, revision)
            with client.begin("POST", batch) as answer:
                self.assertEqual(answer.status, 200 if taken else 400)
                told = answer.read().decode()
            lines = self.gate.client(revision)
            self.addCleanup(lines.close)
            lines.raw(batch)
            if taken:
                self.assertEqual(sorted(repr(event["id"]) for _, event in events(told)), ["'1'", "1"])
                self.assertEqual(sorted(repr(lines.read()["id"]) for _ in range(2)), ["'1'", "1"])
            else:
                self.assertEqual(lines.read()["error"]["code"], -32600)

    def test_the_official_client_lists_calls_and_is_denied(self):
        told = run_client({"url": f"http://127.0.0.1:{self.gate.port}/mcp"},
                          [["files__echo", {"text": "hello"}], ["files__read_file", {"path": "/progress"}],
                           ["files__read_file", {"path": "/etc/passwd"}]])
        self.assertEqual(told["tools"], ["files__echo", "files__read_file"])
        self.assertEqual(told["answers"][0]["content"][0]["text"], "echo: hello")
        self.assertEqual(told["progress"], [{"progress": 1, "total": 2}])
        self.assertIn("no-etc", told["answers"][2]["error"])


if __name__ == "__main__":
    unittest.main()
