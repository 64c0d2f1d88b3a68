"""MCP in a real guest: an agent's configuration names one command, and behind it are the tools of the official file-system
server, of one of our own, and of one over HTTP with a credential that is put in on the way, judged."""

import json
import textwrap
import unittest

from tests.support.house import House, HouseTest, Shell
from tests.support.mcp_gate import server
from tests.support.mcp_http_server import HttpTools
from tests.support.mcp_peers import node_server
from tests.support.tls_server import Authority
from tests.support.upstream import wait_until

CREDENTIAL = "tok-" + "Qm7x9Zk4" + "Ww2vB8nT5yR1"  # made up

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

# The same of {"mcpServers": {"tools": {"url": "http://127.0.0.1:1081/mcp"}}}.
HTTP_AGENT = """
import json, sys, urllib.error, urllib.request
session = {}
def post(message, host="127.0.0.1", **more):
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **session, **more}
    request = urllib.request.Request(f"http://{host}:1081/mcp", json.dumps({"jsonrpc": "2.0", **message}).encode(), headers)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read()
    if answer.headers["Mcp-Session-Id"]:
        session["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
    return json.loads(text) if text else answer.status
answers = [post({"id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}}}),
           post({"method": "notifications/initialized"})]
for number, (tool, arguments) in enumerate(json.loads(sys.argv[1])):
    answers.append(post({"id": 1 + number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}},
                        host="localhost", Authorization="Bearer made-up-4711"))
answers.append(post({"id": 9, "method": "ping"}, Origin="https://evil.example"))
print(json.dumps(answers))
"""


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
        authority = Authority(self.house.directory / "authority")
        web = HttpTools(authority.issue("web", "tools.demo.test"))
        self.addCleanup(web.close)
        policy = self.house.policy({"mcp": {
            "servers": {"files": node_server("server-filesystem", str(files)),
                        "own": server("good", seen, shares_names_with=["web"]),
                        "web": {"url": "https://tools.demo.test/mcp"}},
            "tools": [{"id": "read", "action": "allow", "server": "files", "tools": ["read_text_file"],
                       "arguments": {"/path": {"path": f"{files}/**"}, "*": False}},
                      {"id": "own", "action": "allow", "server": "own", "tools": ["echo"]},
                      {"id": "web", "action": "allow", "server": "web", "tools": ["echo"]}]},
            "resolve": {"tools.demo.test": f"127.0.0.1:{web.port}"},
            "secrets": {"TOOLS_KEY": {"from": ["echo", CREDENTIAL], "hosts": ["tools.demo.test"], "as": "bearer",
                                      "inject": "always"}}})
        calls = [["files__read_text_file", {"path": f"{files}/note.txt"}],
                 ["files__read_text_file", {"path": "/etc/passwd"}],
                 ["files__write_file", {"path": f"{files}/note.txt", "content": "changed"}],
                 ["own__echo", {"text": "ghp_" + "A1b2C3d4E5f6" * 3}]]
        http_calls = [*calls[2:], ["own__echo", {"text": "by HTTP"}], ["web__echo", {"text": "far away"}]]
        shell = Shell(self.house, "--name", "mcp", "--policy", policy, "--upstream-ca", str(authority.certificate))
        try:
            code, told = shell.run(f"cat >/tmp/agent.py <<'END'\n{textwrap.dedent(AGENT)}\nEND\n"
                                   f"python3 /tmp/agent.py '{json.dumps(calls)}'")
            http_code, http_told = shell.run(f"cat >/tmp/http_agent.py <<'END'\n{textwrap.dedent(HTTP_AGENT)}\nEND\n"
                                             f"python3 /tmp/http_agent.py '{json.dumps(http_calls)}'")
        finally:
            shell.close()
        self.assertEqual(code, 0, told)
        (tools, *answers), ended = json.loads(told.splitlines()[-1])
        self.assertEqual(ended, 0)
        self.assertEqual(tools, ["files__read_text_file", "own__echo", "web__echo"])
        self.assertEqual(answers[0]["result"]["content"], [{"type": "text", "text": "hello from the host\n"}])
        for answer, rule, words in ((answers[1], "default-deny", "rule 'read' names it, but only for /path in"),
                                    (answers[2], "default-deny", "no mcp rule names it"),
                                    (answers[3], "dlp.github-pat", "GitHub personal access token")):
            self.assertEqual(answer["error"]["data"]["rule"], rule)
            self.assertIn(words, answer["error"]["message"])
        self.assertEqual((files / "note.txt").read_text(), "hello from the host\n")
        self.assertNotIn("ghp_", seen.read_text())
        self.assertEqual(http_code, 0, http_told)
        greeting, accepted, written, secret, echo, far, foreign = json.loads(http_told.splitlines()[-1])
        self.assertEqual((greeting["result"]["protocolVersion"], accepted), ("2025-11-25", 202))
        self.assertEqual([answer["error"]["data"]["rule"] for answer in (written, secret, foreign)],
                         ["default-deny", "dlp.github-pat", "mcp.origin"])
        self.assertEqual(echo["result"]["content"][0]["text"], "echo: by HTTP")
        self.assertEqual(far["result"]["content"][0]["text"], "echo: far away")
        self.assertEqual({asked.headers["authorization"] for asked in web.asked}, {f"Bearer {CREDENTIAL}"})
        self.assertEqual(web.sessions, set())  # which the gateway has ended
        self.assertNotIn("4711", seen.read_text())
        rows = [(row["tool"], row["verdict"], row["rule_id"]) for row in self.rows("mcp", table="mcp_calls")
                if row["method"] in ("tools/call", "http")]
        self.assertEqual(rows, [("read_text_file", "allow", "read"), ("read_text_file", "deny", "default-deny"),
                                ("write_file", "deny", "default-deny"), ("echo", "deny", "dlp.github-pat"),
                                ("write_file", "deny", "default-deny"), ("echo", "deny", "dlp.github-pat"),
                                ("echo", "allow", "own"), ("echo", "allow", "web"), ("", "deny", "mcp.origin")])
        trace = self.rows("mcp", table="mcp_calls", rule_id="web", method="tools/call")[0]["trace_id"]
        self.assertEqual([row["rule_id"] for row in self.rows("mcp", table="net_events", trace_id=trace)], ["mcp.server"])
        wait_until(lambda: len(self.rows("mcp", table="mcp_results")) == 3, 10, "the results' rows")
        self.assertEqual([row["outcome"] for row in self.rows("mcp", table="mcp_results")], ["result"] * 3)


if __name__ == "__main__":
    unittest.main()
