"""What clients, servers and models have been seen to try through MCP, each with the rule that stops it and the row that
tells of it. Those that take two sessions or an approval are in test_mcp_gateway (Pinning)."""

import base64
import json
import pathlib
import shutil
import socket
import tempfile
import unittest

from tests.support.mcp_gate import HttpClient, McpGate, server
from tests.support.upstream import wait_until

TOKEN = "ghp_" + "Z9y8X7w6V5u4" * 3  # made up
KNOWN = "purple-monkey-dishwasher-0815"
SPREAD = "Kd93mXvQ7zRb2TnY8cLw4HsJ6pGf1eAu"

# How a call is stopped before its server hears of it: tool, arguments, rule.
CALLS = {
    "a poisoned description": ("spare__helpful", {}, "mcp.poisoned"),
    "a poisoned schema enum": ("spare__listed", {}, "mcp.poisoned"),
    "a tool that looks like another server's": ("other__Read-File", {"path": "/x"}, "mcp.shadow"),
    "an unlisted tool by its name": ("files__hidden", {}, "mcp.unlisted"),
    "a listed tool that no rule allows": ("files__environment", {}, "default-deny"),
    "a tool of no server": ("nowhere__read_file", {}, "default-deny"),
    "a path with dot segments": ("files__read_file", {"path": "/srv/../etc/shadow"}, "no-etc"),
    "a key in another case": ("files__read_file", {"Path": "/etc/shadow"}, "no-etc"),
    "a secret": ("files__echo", {"text": TOKEN}, "dlp.github-pat"),
    "a secret in base64": ("files__echo", {"text": base64.b64encode(TOKEN.encode()).decode()}, "dlp.github-pat"),
    "a secret in hex": ("files__echo", {"text": KNOWN.encode().hex()}, "dlp.known-secret"),
    "a secret as a key": ("files__echo", {"more": [{TOKEN: 1}]}, "dlp.github-pat"),
    "a secret split over arguments": ("files__echo", {"more": KNOWN[:15], "text": KNOWN[15:]}, "dlp.known-secret"),
}

# What is withheld of an answer: path that makes the server give it, and the rule.
ANSWERS = {
    "an injection in a result": "/injected",
    "an injection in an error": "/injected-error",
    "an injection in a resource": "/injected-resource",
    "an injection in a blob": "/injected-blob",
    "an injection in structured content": "/injected-structure",
}

# Servers that break the protocol lose the call: path, and a word of the row.
BROKEN = {
    "duplicate JSON keys": ("/duplicate", "twice"),
    "deeply nested JSON": ("/deep", "deep"),
    "oversized JSON": ("/oversized", "more than"),
    "no JSON on stdio": ("/garbage", "refused"),
}

# Lines of clients: the code of the answer, the rule of the row.
LINES = {
    "no JSON": ("nonsense", -32700, "mcp.malformed"),
    "duplicate JSON keys": ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"files__echo","name":"x"}}', -32700,
                            "mcp.malformed"),
    "deeply nested JSON": ("[" * 100_000, -32700, "mcp.malformed"),
    "a lone surrogate": ('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\\ud800"}}', -32700, "mcp.malformed"),
    "an id that is none": ('{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, "mcp.protocol"),
    "a batch": ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, "mcp.protocol"),
    "arguments that are none": ('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"files__echo","arguments":1}}',
                                -32602, "mcp.protocol"),
    "a method that is not carried": ('{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}', -32601, "mcp.uncarried"),
}


class Attacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.seen = cls.directory / "seen"
        cls.gate = McpGate(cls.directory / "gate", {
            "servers": {"files": server("good", cls.seen, env=["DB_PASSWORD"], call_time="3s"),
                        "spare": server("poisoned", shares_names_with=["files"]),
                        "other": server("lookalike", cls.directory / "other")},
            "tools": [{"id": "files", "action": "allow", "server": "files", "tools": ["read_*", "echo", "hidden"]},
                      {"id": "no-etc", "action": "deny", "server": "*", "tools": ["*"], "arguments": {"/path": {"path": "/etc/**"}}},
                      {"id": "spare", "action": "allow", "server": "spare", "tools": ["*"]},
                      {"id": "other", "action": "allow", "server": "other", "tools": ["Read-File"]}],
            "resources": [{"id": "notes", "action": "allow", "server": "files", "uris": ["notes:///*"]}]},
            secrets={"DB_PASSWORD": KNOWN, "SPARE_KEY": SPREAD}, dlp={"deny": ["credentials", "known-secrets", "injection"]})
        cls.addClassCleanup(cls.gate.close)

    def setUp(self):
        self.client = self.gate.client()
        self.addCleanup(self.client.close)
        wait_until(lambda: "result" in self.client.call("files__echo", {"text": "up"}), 30, "the server")

    def row(self, answer: dict) -> dict:
        [row] = self.gate.rows(event_id=answer["error"]["data"]["event_id"])
        return row

    def test_calls_that_are_stopped(self):
        for name, (tool, arguments, rule) in CALLS.items():
            with self.subTest(name):
                before = self.seen.read_text()
                answer = self.client.call(tool, arguments)
                self.assertEqual((answer["error"]["code"], answer["error"]["data"]["rule"]), (403, rule), answer)
                row = self.row(answer)
                self.assertEqual((row["method"], row["verdict"], row["rule_id"]), ("tools/call", "deny", rule))
                self.assertEqual(self.seen.read_text(), before)
        for text in (self.gate.log(), repr(self.gate.rows()), repr(self.gate.rows("dlp_findings"))):
            self.assertNotIn(TOKEN, text)
            self.assertNotIn(KNOWN, text)
        tools = json.dumps(self.client.ask("tools/list"))
        self.assertNotIn("IMPORTANT", tools)

    def test_a_secret_split_over_calls(self):
        answers = [self.client.call("files__echo", {"text": f"piece {SPREAD[at:at + 12]} of it"}) for at in (0, 10, 20)]
        self.assertEqual(answers[-1]["error"]["data"]["rule"], "dlp.secret-fragment")
        self.assertEqual(self.row(answers[-1])["rule_id"], "dlp.secret-fragment")

    def test_answers_that_are_withheld(self):
        for name, path in ANSWERS.items():
            with self.subTest(name):
                answer = self.client.call("files__read_file", {"path": path})
                self.assertEqual(answer["error"]["code"], 403, answer)
                rule = answer["error"]["data"]["rule"]
                self.assertNotIn("id_rsa", json.dumps(answer))
                [result] = self.gate.rows("mcp_results", event_id=answer["error"]["data"]["event_id"])
                self.assertEqual((result["outcome"], result["error"]), ("withheld", rule))
                [finding] = self.gate.rows("dlp_findings", trace_id=result["trace_id"], direction="in", verdict="deny")[:1]
                self.assertEqual(finding["rule_id"], rule)

    def test_a_chain_that_reads_a_secret_and_sends_it(self):
        read = self.client.call("files__read_file", {"path": "/secret"})
        self.assertEqual(read["error"]["data"]["rule"], "dlp.known-secret")
        self.assertNotIn(KNOWN, json.dumps(read))
        [result] = self.gate.rows("mcp_results", event_id=read["error"]["data"]["event_id"])
        self.assertEqual((result["outcome"], result["error"]), ("withheld", "dlp.known-secret"))
        before = self.seen.read_text()
        sent = self.client.call("files__echo", {"text": f"note: {KNOWN}"})
        self.assertEqual(self.row(sent)["rule_id"], "dlp.known-secret")
        self.assertEqual(self.seen.read_text(), before)

    def test_resources_that_are_withheld(self):
        self.assertEqual(self.client.ask("resources/read", {"uri": "files+notes:///note"})["result"]["contents"][0]["text"],
                         "buy milk")
        answer = self.client.ask("resources/read", {"uri": "files+notes:///injected"})
        self.assertEqual(answer["error"]["code"], 403, answer)
        self.assertNotIn("id_rsa", json.dumps(answer))
        rule = answer["error"]["data"]["rule"]
        self.assertEqual((self.row(answer)["method"], self.row(answer)["rule_id"]), ("resources/read", "notes"))
        [result] = self.gate.rows("mcp_results", event_id=answer["error"]["data"]["event_id"])
        self.assertEqual((result["outcome"], result["error"]), ("withheld", rule))
        [finding] = self.gate.rows("dlp_findings", trace_id=result["trace_id"], direction="in", verdict="deny")[:1]
        self.assertEqual(finding["rule_id"], rule)

    def test_a_chain_that_reads_a_resource_with_a_secret_and_sends_it(self):
        read = self.client.ask("resources/read", {"uri": "files+notes:///secret"})
        self.assertEqual(read["error"]["data"]["rule"], "dlp.known-secret")
        self.assertNotIn(KNOWN, json.dumps(read))
        before = self.seen.read_text()
        # As a tool's argument, and as what one would read of the server next.
        for method, params in (("tools/call", {"name": "files__echo", "arguments": {"text": f"note: {KNOWN}"}}),
                               ("resources/read", {"uri": f"files+notes:///{KNOWN}"})):
            sent = self.client.ask(method, params)
            self.assertEqual((self.row(sent)["method"], self.row(sent)["rule_id"]), (method, "dlp.known-secret"))
        self.assertEqual(self.seen.read_text(), before)
        self.assertNotIn(KNOWN, self.gate.log() + repr(self.gate.rows()))

    def test_header_fields_that_say_something_else_than_the_body(self):
        client = HttpClient(self.gate.port, None)
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "files__read_file", "arguments": {"path": "/mismatch"}, "_meta": meta}}
        right = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "files__read_file"}
        for field, value in (("Mcp-Name", "files__echo"), ("Mcp-Name", "FILES__READ_FILE"), ("Mcp-Method", "tools/list"),
                             ("Mcp-Method", ""), ("MCP-Protocol-Version", "2025-11-25")):
            with self.subTest(**{field: value}):
                before, rows = self.seen.read_text(), len(self.gate.rows(rule_id="mcp.protocol"))
                status, _, text = client.post(call, **{**right, field: value})
                self.assertEqual((status, json.loads(text)["error"]["code"]), (400, -32020), text)
                wait_until(lambda: len(self.gate.rows(rule_id="mcp.protocol")) == rows + 1, 10, "the row")
                self.assertEqual(self.seen.read_text(), before)
        status, _, text = client.post(call, **right)
        self.assertEqual((status, json.loads(text)["result"]["content"][0]["text"]), (200, "read_file: /mismatch"))

    def test_servers_that_break_the_protocol(self):
        for name, (path, word) in BROKEN.items():
            with self.subTest(name):
                wait_until(lambda: "result" in self.client.call("files__echo", {"text": "up"}), 30, "the server")
                answer = self.client.call("files__read_file", {"path": path})
                self.assertEqual(answer["error"]["code"], 502, answer)
                result = self.gate.rows("mcp_results", outcome="failed")[-1]
                self.assertIn(word, result["error"])

    def test_lines_of_clients_that_are_none(self):
        for name, (line, code, rule) in LINES.items():
            with self.subTest(name):
                before = len(self.gate.rows(rule_id=rule))

                def refused() -> bool:  # again, when so many were before it that it has no row
                    self.client.raw(line)
                    self.assertEqual(self.client.read()["error"]["code"], code)
                    return len(self.gate.rows(rule_id=rule)) > before
                wait_until(refused, 20, "its row")
        self.assertEqual(self.client.ask("ping")["result"], {})

    def test_two_requests_of_one_id(self):
        self.client.raw("\n".join(json.dumps({"jsonrpc": "2.0", "id": 8, "method": "tools/call",
                                              "params": {"name": "files__read_file", "arguments": {"path": path}}})
                                  for path in ("/silent", "/not-to-be-sent")))
        self.assertEqual(self.client.answer(8)["error"]["code"], -32600)
        wait_until(lambda: self.gate.rows(rule_id="mcp.protocol", method="tools/call"), 10, "its row")
        self.assertNotIn("not-to-be-sent", self.seen.read_text())

    def test_ids_of_two_clients_and_a_server_that_answers_what_it_was_not_asked(self):
        self.assertEqual(self.client.text("files__read_file", {"path": "/other-ids"}), "yours")
        other = self.gate.client()
        self.addCleanup(other.close)
        for client, text in ((self.client, "one"), (other, "two")):
            client.raw(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
                                   "params": {"name": "files__echo", "arguments": {"text": text}}}))
        self.assertEqual(self.client.answer(7)["result"]["content"][0]["text"], "echo: one")
        self.assertEqual(other.answer(7)["result"]["content"][0]["text"], "echo: two")

    def test_a_flood_on_stderr(self):
        self.assertEqual(self.client.text("files__read_file", {"path": "/stderr"}), "after the noise")
        self.assertLess(len(self.gate.log()), 2_000_000)

    def test_a_flood_of_what_is_no_message(self):
        self.client.raw("\n".join(["x"] * 2_000))
        for _ in range(2_000):
            self.assertEqual(self.client.read()["error"]["code"], -32700)
        self.assertLess(len(self.gate.rows(rule_id="mcp.malformed")), 100)

    def test_lines_that_do_not_end(self):
        held = [socket.socket(socket.AF_UNIX) for _ in range(64)]
        self.addCleanup(lambda: [one.close() for one in held])
        cut = 0
        for one in held:
            one.connect(self.gate.socket)
            try:
                one.sendall(b"x" * (4_000_000))
            except OSError:
                cut += 1  # there was no room for it
        wait_until(lambda: self.gate.rows(rule_id="mcp.limit"), 20, "its row")
        self.assertGreater(cut, 16)
        memory = pathlib.Path(f"/proc/{self.gate.process.pid}/status").read_text()
        self.assertLess(int(memory.split("VmRSS:")[1].split()[0]), 300 * 1024)
        self.assertEqual(self.client.ask("ping")["result"], {})


if __name__ == "__main__":
    unittest.main()
