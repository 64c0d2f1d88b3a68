"""MCP in a real guest: an agent's configuration names one command, and behind it are the tools of the official file-system
server and of one of our own, judged."""

import json
import pathlib
import shutil
import subprocess
import textwrap
import unittest

from tests.support.house import ROOT, House, HouseTest, Shell
from tests.support.mcp_gate import server

PACKAGES = ROOT / "build" / "mcp-servers"

# What an agent does with {"mcpServers": {"tools": {"command": "gatehouse-guest", "args": ["mcp"]}}}.
AGENT = """
import json, subprocess, sys
config = json.loads('{"command": "gatehouse-guest", "args": ["mcp"]}')
server = subprocess.Popen([config["command"], *config["args"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
def ask(id, method, params={}):
    print(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}), file=server.stdin, flush=True)
    for line in server.stdout:
        message = json.loads(line)
        if message.get("id") == id:
            return message
ask(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}})
print(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}), file=server.stdin, flush=True)
answers = [[tool["name"] for tool in ask(2, "tools/list")["result"]["tools"]]]
for number, (tool, arguments) in enumerate(json.loads(sys.argv[1])):
    answers.append(ask(10 + number, "tools/call", {"name": tool, "arguments": arguments}))
server.stdin.close()
print(json.dumps([answers, server.wait()]))
"""


def installed() -> pathlib.Path:
    """The official server, as tests/mcp/package.json pins it."""
    wanted = ROOT / "tests" / "mcp" / "package.json"
    marker = PACKAGES / "package.json"
    if not marker.exists() or marker.read_text() != wanted.read_text() or not (PACKAGES / "node_modules").exists():
        PACKAGES.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, marker)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=PACKAGES, check=True, capture_output=True)
    return PACKAGES / "node_modules" / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"


class McpInTheGuest(HouseTest):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)

    def test_an_agent_sees_what_it_may_calls_it_and_is_refused_the_rest_in_words(self):
        files = self.house.directory / "docs"
        files.mkdir()
        (files / "note.txt").write_text("hello from the host\n")
        seen = self.house.directory / "seen"
        policy = self.house.policy({"mcp": {
            "servers": {"files": {"command": [shutil.which("node"), str(installed()), str(files)]}, "own": server("good", seen)},
            "tools": [{"id": "read", "action": "allow", "server": "files", "tools": ["read_text_file"],
                       "arguments": {"/path": {"path": f"{files}/**"}, "*": False}},
                      {"id": "own", "action": "allow", "server": "own", "tools": ["echo"]}]}})
        calls = [["files__read_text_file", {"path": f"{files}/note.txt"}],
                 ["files__read_text_file", {"path": "/etc/passwd"}],
                 ["files__write_file", {"path": f"{files}/note.txt", "content": "changed"}],
                 ["own__echo", {"text": "ghp_" + "A1b2C3d4E5f6" * 3}]]
        shell = Shell(self.house, "--name", "mcp", "--policy", policy)
        try:
            code, told = shell.run(f"cat >/tmp/agent.py <<'END'\n{textwrap.dedent(AGENT)}\nEND\n"
                                   f"python3 /tmp/agent.py '{json.dumps(calls)}'")
        finally:
            shell.close()
        self.assertEqual(code, 0, told)
        (tools, *answers), ended = json.loads(told.splitlines()[-1])
        self.assertEqual(ended, 0)
        self.assertEqual(tools, ["files__read_text_file", "own__echo"])
        self.assertEqual(answers[0]["result"]["content"], [{"type": "text", "text": "hello from the host\n"}])
        for answer, rule, words in ((answers[1], "default-deny", "rule 'read' names it, but only for /path in"),
                                    (answers[2], "default-deny", "no mcp rule names it"),
                                    (answers[3], "dlp.github-pat", "GitHub personal access token")):
            self.assertEqual(answer["error"]["data"]["rule"], rule)
            self.assertIn(words, answer["error"]["message"])
        self.assertEqual((files / "note.txt").read_text(), "hello from the host\n")
        self.assertNotIn("ghp_", seen.read_text())
        rows = [(row["tool"], row["verdict"], row["rule_id"]) for row in self.rows("mcp", table="mcp_calls")]
        self.assertEqual(rows, [("read_text_file", "allow", "read"), ("read_text_file", "deny", "default-deny"),
                                ("write_file", "deny", "default-deny"), ("echo", "deny", "dlp.github-pat")])
        self.assertEqual([row["outcome"] for row in self.rows("mcp", table="mcp_results")], ["result"])


if __name__ == "__main__":
    unittest.main()
