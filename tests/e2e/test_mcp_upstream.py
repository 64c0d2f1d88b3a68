"""Servers of tools over HTTP: reached through gatehouse-proxy, which verifies them, puts the credential in and keeps the
gateway to the URLs of the policy."""

import json
import pathlib
import shutil
import socket
import tempfile
import unittest

from tests.support.gates import Gates
from tests.support.mcp_gate import McpGate, server
from tests.support.mcp_http_server import HttpTools
from tests.support.tls_server import Authority
from tests.support.upstream import wait_until

HOST = "tools.demo.test"
VALUE = "tok-" + "Qm7/x9+Zk4" + "Ww2vB8nT5yR1"  # made up
PLACEHOLDER = "gatehouse-placeholder-TOOLS_KEY-" + "0" * 32
TOKEN = "ghp_" + "A1b2C3d4E5f6" * 3


class Upstream(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        authority = Authority(cls.directory / "ca")
        cls.tools = cls.serve(authority.issue("server", HOST, "other.demo.test"))
        cls.forged = cls.serve(Authority(cls.directory / "other").issue("server", "forged.demo.test"))
        cls.inner = cls.serve(authority.issue("inner", "localhost"))
        where = f"127.0.0.1:{cls.tools.port}"
        far = {"call_time": "5s"}
        mcp = {"servers": {"web": {"url": f"https://{HOST}/mcp?team=a", **far}, "own": server(shares_names_with=["web"]),
                           "away": {"url": "https://away.demo.test/mcp", **far},
                           "forged": {"url": "https://forged.demo.test/mcp", **far},
                           "inner": {"url": f"https://localhost:{cls.inner.port}/mcp", **far}},
               "tools": [{"id": "all", "action": "allow", "server": "*", "tools": ["*"]}]}
        policy = {"resolve": {HOST: where, "other.demo.test": where, "away.demo.test": "127.0.0.1:1",
                              "forged.demo.test": f"127.0.0.1:{cls.forged.port}"},
                  "dlp": {"deny": ["credentials", "known-secrets"]}}
        bound = {"TOOLS_KEY": {"from": "env:TOOLS_KEY", "hosts": [HOST], "as": "bearer", "inject": "always"}}
        given = {"secrets": [{"name": "TOOLS_KEY", "value": VALUE, "placeholder": PLACEHOLDER}]}
        credentials = cls.directory / "credentials.json"
        credentials.touch(0o600)
        credentials.write_text(json.dumps(given))
        cls.egress = str(cls.directory / "tools.sock")
        cls.proxy = Gates(cls.directory / "proxy", {"mcp": mcp, "secrets": bound, **policy}, "--tools", f"unix:{cls.egress}",
                          "--credentials", str(credentials), "--upstream-ca", str(authority.certificate), dlp=True,
                          secrets=given)
        cls.addClassCleanup(cls.proxy.close)
        cls.gate = McpGate(cls.directory / "gate", mcp, options=("--proxy", f"unix:{cls.egress}"), **policy)
        cls.addClassCleanup(cls.gate.close)

    @classmethod
    def serve(cls, certificate: tuple[str, str]) -> HttpTools:
        tools = HttpTools(certificate)
        cls.addClassCleanup(tools.close)
        return tools

    def setUp(self):
        self.tools.mode = "json"
        self.client = self.gate.client()
        self.addCleanup(self.client.close)
        wait_until(lambda: "result" in self.client.call("web__echo", {"text": "up"}), 30, "the server")

    def test_its_tools_stand_beside_the_others_and_servers_that_are_away_hold_up_nobody(self):
        tools = self.client.tools()
        self.assertIn("web__echo", tools)
        self.assertIn("own__echo", tools)
        self.assertEqual(self.client.text("own__echo", {"text": "x"}), "echo: x")

    def test_why_a_server_is_away_is_told_and_on_record_and_it_hears_nothing(self):
        for name, host, rule, words in (("away", "away.demo.test", "upstream.connect", "cannot be reached"),
                                        ("forged", "forged.demo.test", "upstream.certificate", "certificate cannot be verified"),
                                        ("inner", "localhost", "address.loopback", "address that the policy does not allow")):
            wait_until(lambda: words in self.client.call(f"{name}__echo")["error"]["message"], 30, words)
            self.assertIn(rule, self.client.call(f"{name}__echo")["error"]["message"])
            row = self.proxy.rows(host=host)[0]
            self.assertEqual((row["verdict"], row["rule_id"]), ("allow", "mcp.server"))
        self.assertEqual(self.proxy.rows(host="localhost", verdict="deny")[0]["rule_id"], "address.loopback")
        self.assertTrue(self.proxy.rows("net_results", trace_id=self.proxy.rows(host="forged.demo.test")[0]["trace_id"])[0]["error"]
                        .startswith("upstream.certificate"))
        self.assertEqual((self.inner.connections, self.forged.asked), (0, []))

    def test_calls_pass_in_every_form_of_answer_with_the_credential_that_nobody_here_has(self):
        for mode in ("json", "events", "resumed"):
            self.tools.mode = mode
            self.assertEqual(self.client.text("web__echo", {"text": mode}), f"echo: {mode}")
        asked = self.tools.asked[-1]
        self.assertEqual((asked.method, asked.host, asked.path), ("GET", HOST, "/mcp?team=a"))
        asked = next(asked for asked in reversed(self.tools.asked) if asked.method == "POST")
        self.assertEqual(asked.headers["authorization"], f"Bearer {VALUE}")
        self.assertEqual(asked.headers["mcp-protocol-version"], "2025-11-25")
        self.assertFalse([name for name in asked.headers if name.startswith("gatehouse")])
        self.tools.mode = "mirror"
        told = self.client.text("web__echo", {"text": "x"})
        self.assertIn(PLACEHOLDER, told)
        self.assertNotIn(VALUE, told)

    def test_a_call_and_its_request_share_a_trace(self):
        self.client.text("web__echo", {"text": "traced"})
        call = self.gate.rows(server="web", method="tools/call")[-1]
        rows = self.proxy.rows(trace_id=call["trace_id"])
        self.assertEqual([(row["verdict"], row["rule_id"], row["method"], row["host"]) for row in rows],
                         [("allow", "mcp.server", "POST", HOST)])

    def test_what_is_denied_reaches_nobody(self):
        before = len(self.tools.calls())
        self.assertEqual(self.client.call("web__echo", {"text": TOKEN})["error"]["data"]["rule"], "dlp.github-pat")
        self.assertEqual(len(self.tools.calls()), before)

    def test_answers_that_are_none_end_the_call_and_send_nobody_elsewhere(self):
        for mode, words in (("redirect", "redirects"), ("unauthorized", "credential"), ("page", "no message")):
            self.tools.mode = mode
            error = self.client.call("web__echo", {"text": mode})["error"]
            self.assertEqual(error["code"], 502, mode)
            self.assertIn(words, error["message"])
            self.assertNotIn("evil", json.dumps(error))
        self.assertEqual([asked for asked in self.tools.asked if asked.host != HOST], [])
        self.tools.mode = "error"
        self.assertEqual(self.client.call("web__echo")["error"], {"code": -32602, "message": "no such text"})
        self.tools.mode = "json"
        self.assertEqual(self.client.text("web__echo", {"text": "after"}), "echo: after")

    def test_a_session_that_the_server_has_ended_is_begun_anew_and_no_call_is_made_twice(self):
        self.tools.sessions.clear()
        self.assertEqual(self.client.call("web__echo", {"text": "lost"})["error"]["code"], 502)
        wait_until(lambda: "result" in self.client.call("web__echo", {"text": "again"}), 30, "the next session")
        self.assertEqual([call for call in self.tools.calls() if call["arguments"].get("text") == "lost"],
                         [{"name": "echo", "arguments": {"text": "lost"}}])

    def test_a_gateway_that_ends_tells_the_server_so(self):
        self.assertEqual(len(self.tools.sessions), 1)
        self.gate.restart()
        self.assertEqual(self.tools.sessions, set())
        self.assertEqual([asked.method for asked in self.tools.asked if asked.method == "DELETE"], ["DELETE"])

    def test_the_proxy_keeps_the_gateway_to_the_declared_urls_and_the_guest_out(self):
        before = len(self.tools.asked)
        for request in (f"POST /other HTTP/1.1\r\nHost: {HOST}\r\n", "POST /mcp?team=a HTTP/1.1\r\nHost: other.demo.test\r\n",
                        f"PUT /mcp?team=a HTTP/1.1\r\nHost: {HOST}\r\n", f"POST /mcp?team=b HTTP/1.1\r\nHost: {HOST}\r\n",
                        f"POST /mcp?team=a HTTP/1.1\r\nHost: {HOST}:8443\r\n"):
            with socket.socket(socket.AF_UNIX) as stream:
                stream.settimeout(20)
                stream.connect(self.egress)
                stream.sendall(f"{request}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                self.assertTrue(stream.recv(65536).startswith(b"HTTP/1.1 403 "), request)
        self.assertEqual(len(self.proxy.rows(verdict="deny", rule_id="mcp.server")), 5)
        # The guest's own way there is as closed as the http rules leave it.
        status, _ = self.proxy.curl(f"https://{HOST}/mcp?team=a", "-d", "{}")
        self.assertEqual((status, len(self.proxy.rows(host=HOST, rule_id="default-deny"))), (403, 1))
        self.assertEqual(len(self.tools.asked), before)


class ModernUpstream(unittest.TestCase):
    """One that knows no sessions, and takes no request whose fields are unlike it."""

    @classmethod
    def setUpClass(cls):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        cls.addClassCleanup(shutil.rmtree, directory)
        authority = Authority(directory / "ca")
        cls.tools = HttpTools(authority.issue("server", HOST), modern=True)
        cls.addClassCleanup(cls.tools.close)
        policy = {"mcp": {"servers": {"web": {"url": f"https://{HOST}/mcp", "call_time": "2s"}},
                          "tools": [{"id": "all", "action": "allow", "server": "*", "tools": ["*"]}]},
                  "resolve": {HOST: f"127.0.0.1:{cls.tools.port}"}, "dlp": {"deny": ["credentials"]}}
        egress = f"unix:{directory}/tools.sock"
        cls.proxy = Gates(directory / "proxy", policy, "--tools", egress, "--upstream-ca", str(authority.certificate), dlp=True)
        cls.addClassCleanup(cls.proxy.close)
        cls.gate = McpGate(directory / "gate", options=("--proxy", egress), **policy)
        cls.addClassCleanup(cls.gate.close)

    def setUp(self):
        self.tools.mode = "json"
        self.client = self.gate.client()
        self.addCleanup(self.client.close)
        wait_until(lambda: "web__echo" in self.client.tools(), 30, "the server")

    def test_calls_pass_in_both_forms_of_answer_and_are_mirrored(self):
        for mode in ("json", "events"):
            self.tools.mode = mode
            self.assertEqual(self.client.text("web__echo", {"text": mode, "place": "Z\u00fcrich"}), f"echo: {mode}")
        call = [asked for asked in self.tools.asked if b'"tools/call"' in asked.body][-1]
        self.assertEqual(call.headers["mcp-param-place"], "=?base64?WsO8cmljaA==?=")
        self.assertEqual({asked.method for asked in self.tools.asked}, {"POST"})
        self.assertFalse([asked for asked in self.tools.asked if "mcp-session-id" in asked.headers])
        self.assertNotIn(b'"initialize"', b"".join(asked.body for asked in self.tools.asked))

    def test_an_error_comes_whatever_its_status(self):
        self.tools.mode = "error"
        self.assertEqual(self.client.call("web__echo")["error"], {"code": -32602, "message": "no such text"})

    def test_what_takes_too_long_is_closed_and_nothing_more_is_said_of_it(self):
        self.tools.mode = "never"
        self.assertEqual(self.client.call("web__echo", {"text": "slow"})["error"]["code"], 504)
        wait_until(lambda: self.tools.gone, 10, "the closed connection")
        self.assertNotIn(b"notifications/cancelled", b"".join(asked.body for asked in self.tools.asked))


if __name__ == "__main__":
    unittest.main()
