"""MCP's two eras with the gateway between them: an official server of the session era, which asks its clients things, gets
and gives through the gateway what it does directly, whichever era the official client speaks."""

import json
import pathlib
import shutil
import sys
import tempfile
import unittest

from tests.e2e.test_mcp_peers import CLOCK, RELAY
from tests.support.conformance import inspect, run_peer
from tests.support.mcp_gate import McpGate
from tests.support.mcp_peers import node_server

# What is asked of it: method, parameters.
ASKED = [["tools/call", {"name": "trigger-elicitation-request", "arguments": {}}],
         ["tools/call", {"name": "trigger-sampling-request", "arguments": {"prompt": "x", "maxTokens": 10}}],
         ["resources/list", {}], ["resources/templates/list", {}],
         ["resources/read", {"uri": "demo://resource/dynamic/text/1"}],
         ["resources/read", {"uri": "demo://resource/static/document/features.md"}],
         ["resources/read", {"uri": "demo://resource/nowhere"}],
         ["prompts/list", {}], ["prompts/get", {"name": "simple-prompt"}],
         ["prompts/get", {"name": "args-prompt", "arguments": {"city": "Paris"}}],
         ["prompts/get", {"name": "resource-prompt", "arguments": {"resourceType": "Text", "resourceId": "1"}}],
         ["completion/complete", {"ref": {"type": "ref/prompt", "name": "completable-prompt"},
                                  "argument": {"name": "department", "value": "S"}}],
         ["completion/complete", {"ref": {"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"},
                                  "argument": {"name": "resourceId", "value": "1"}}]]


class Eras(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.server = node_server("server-everything")
        everything = {"server": "everything", "action": "allow"}
        cls.gate = McpGate(cls.directory / "gate", {
            "servers": {"everything": {**cls.server, "names": "own", "asks": ["elicitation", "sampling", "roots"]}},
            "tools": [{"id": "tools", "tools": ["*"], **everything}],
            "resources": [{"id": "resources", "uris": ["demo://resource/**"], **everything}],
            "prompts": [{"id": "prompts", "prompts": ["*"], **everything}]})
        cls.addClassCleanup(cls.gate.close)
        command, *args = cls.server["command"]
        cls.direct = run_peer({"command": command, "args": args}, "legacy", ASKED)

    def compare(self, mode: str | dict, where: dict, era: str) -> None:
        told = run_peer(where, mode, ASKED)
        self.assertEqual(told["era"], era)
        for asked, direct, through in zip(ASKED, self.direct["answers"], told["answers"]):
            with self.subTest(mode=mode, **where, asked=asked):
                told_of = [{key: value for key, value in answer.items() if key not in ("_meta", "ttlMs", "cacheScope")}
                           for answer in (through, direct)]
                for answer in told_of:  # lists come in the gateway's order
                    for items in answer.values():
                        if isinstance(items, list) and asked[0].endswith("/list"):
                            items.sort(key=lambda item: item["name"])
                self.assertEqual(*(CLOCK.sub("", json.dumps(answer, sort_keys=True)) for answer in told_of))

    def test_what_the_server_says_and_asks_comes_through_to_clients_of_both_eras(self):
        for where in ({"url": f"http://127.0.0.1:{self.gate.port}/mcp"},
                      {"command": sys.executable, "args": ["-c", RELAY, self.gate.socket]}):
            for mode, era in (("legacy", "legacy"), ("auto", "modern"), ({"pin": "2026-07-28"}, "modern")):
                self.compare(mode, where, era)
        self.assertTrue(self.gate.rows(method="resources/read", verdict="allow"))
        self.assertTrue(self.gate.rows(method="prompts/get", verdict="allow"))

    def test_a_tool_that_its_server_runs_as_a_task_only_is_a_call_like_any_other_and_asks_meanwhile(self):
        call = ["tools/call", {"name": "simulate-research-query", "arguments": {"topic": "python", "ambiguous": True}}]
        for mode, where in (("legacy", {"command": sys.executable, "args": ["-c", RELAY, self.gate.socket]}),
                            ("auto", {"url": f"http://127.0.0.1:{self.gate.port}/mcp"})):
            with self.subTest(mode):
                [answer] = run_peer(where, mode, [call])["answers"]
                self.assertIn("Research Report: python", json.dumps(answer))
                self.assertIn("**Clarification**", json.dumps(answer))
        self.assertTrue(self.gate.rows(method="elicitation/create", rule_id="mcp.answers"))

    def test_the_inspector_reads_and_is_denied_in_words_by_either_era(self):
        for era in ("legacy", "modern"):
            def told(*what: str) -> dict:
                done = inspect(self.directory, "--format", "json", "--quiet", "--protocol-era", era, "--method", *what,
                               f"http://127.0.0.1:{self.gate.port}/mcp")
                return json.loads(done.stdout or done.stderr)
            with self.subTest(era):
                self.assertIn("echo", [tool["name"] for tool in told("tools/list")["result"]["tools"]])
                read = told("resources/read", "--uri", "demo://resource/dynamic/text/7")
                self.assertIn("Resource 7", read["result"]["contents"][0]["text"])
                before = len(self.gate.rows())
                denied = told("resources/read", "--uri", "demo://elsewhere/secret")["error"]["message"]
                self.assertIn("Gatehouse denied", denied)
                [row] = self.gate.rows()[before:]
                self.assertEqual((row["method"], row["verdict"], row["rule_id"]), ("resources/read", "deny", "default-deny"))


if __name__ == "__main__":
    unittest.main()
