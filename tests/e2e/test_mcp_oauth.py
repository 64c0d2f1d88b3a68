"""Access tokens for servers of tools over HTTP: had by the gateway from whom the policy names, put in by the proxy, seen by
nobody else."""

import json
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

from tests.support.gates import Gates
from tests.support.house import BIN
from tests.support.mcp_gate import McpGate
from tests.support.mcp_oauth import CLIENT, SECRET, AuthorizationServer, OauthTools
from tests.support.tls_server import Authority
from tests.support.upstream import wait_until

HOST, AUTH, EVIL = "tools.demo.test", "auth.demo.test", "evil.demo.test"
RESOURCE = f"https://{HOST}/mcp"
RULE = "mcp.authorization"
BY_ITSELF = {"authorization_servers": [f"https://{AUTH}"], "grant": "client_credentials", "client_id": CLIENT,
             "client_secret": "WEB_CLIENT"}
BY_PERSON = {"authorization_servers": [f"https://{AUTH}"]}
# Goes where it is sent by the authorization server, and from there back to the command.
BROWSER = """#!{python}
import http.client, ssl, sys, urllib.parse, urllib.request
url = urllib.parse.urlsplit(sys.argv[1])
assert url.hostname == "{auth}", url
context = ssl.create_default_context(cafile="{ca}")
connection = http.client.HTTPSConnection("127.0.0.1", {port}, context=context)
connection.host = url.hostname  # for the certificate; its address is the test's
connection._create_connection = lambda address, *more: __import__("socket").create_connection(("127.0.0.1", {port}))
connection.request("GET", url.path + "?" + url.query, headers={{"Host": url.hostname}})
print(urllib.request.urlopen(connection.getresponse().headers["Location"]).status)
"""


class Oauth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.authority = Authority(cls.directory / "ca")
        cls.certificates = {host: cls.authority.issue(host, host) for host in (HOST, AUTH, EVIL)}

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        self.auth, self.evil = (AuthorizationServer(self.certificates[host], host, RESOURCE) for host in (AUTH, EVIL))
        self.tools = OauthTools(self.certificates[HOST], HOST)
        self.tools.issuer, self.tools.named = self.auth, [self.auth.issuer]
        for server in (self.auth, self.evil, self.tools):
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)

    def start(self, oauth: dict):
        mcp = {"servers": {"web": {"url": RESOURCE, "oauth": oauth, "call_time": "10s"}},
               "tools": [{"id": "all", "action": "allow", "server": "*", "tools": ["*"]}]}
        resolve = {host: f"127.0.0.1:{server.port}" for host, server in
                   ((HOST, self.tools), (AUTH, self.auth), (EVIL, self.evil))}
        policy = {"mcp": mcp, "resolve": resolve, "dlp": {"deny": ["credentials", "known-secrets"]},
                  "secrets": {"WEB_CLIENT": {"from": "env:WEB_CLIENT"}}}
        egress = f"unix:{self.place}/tools.sock"
        self.proxy = Gates(self.place / "proxy", policy, "--tools", egress, "--upstream-ca", str(self.authority.certificate),
                           dlp=True, secrets={"secrets": [{"name": "WEB_CLIENT", "value": SECRET}]})
        self.addCleanup(self.proxy.close)
        own = self.place / "client.json"
        own.touch(0o600)
        own.write_text(json.dumps({"WEB_CLIENT": SECRET}))
        self.login_socket, self.tokens = f"{self.place}/login.sock", self.place / "tokens"
        self.gate = McpGate(self.place / "gate", options=("--proxy", egress, "--client-secrets", str(own), "--tokens",
                                                          str(self.tokens), "--login", f"unix:{self.login_socket}"),
                            **{**policy, "secrets": {"WEB_CLIENT": SECRET}})
        self.addCleanup(self.gate.close)
        self.client = self.gate.client()
        self.addCleanup(lambda: self.client.close())

    def up(self, text: str = "up") -> None:
        wait_until(lambda: "result" in self.client.call("web__echo", {"text": text}), 30, "the server")

    def refusal(self, words: str) -> dict:
        """Of a call, once it is refused in these words."""
        wait_until(lambda: words in self.client.call("web__echo").get("error", {}).get("message", ""), 30, words)
        return self.client.call("web__echo")["error"]

    def log_in(self, *options: str) -> subprocess.CompletedProcess:
        browser = self.place / "browser"
        browser.write_text(BROWSER.format(python=sys.executable, auth=AUTH, ca=self.authority.certificate, port=self.auth.port))
        browser.chmod(0o755)
        return subprocess.run([str(BIN / "gatehouse"), "mcp", "login", "web", "--socket", self.login_socket, "--browser",
                               str(browser), *options], capture_output=True, text=True, timeout=60)

    def tearDown(self):
        # Wherever it ended: no row and no log has a token or a secret.
        if not hasattr(self, "gate"):
            return
        written = self.gate.log() + "".join(file.read_text(errors="replace") for file in (self.place / "proxy").glob("*.log"))
        for gate, tables in ((self.gate, ("mcp_calls", "mcp_results", "process_events")), (self.proxy, ("net_events", "net_results"))):
            written += "".join(repr(gate.rows(table)) for table in tables)
        for secret in (SECRET, *self.auth.live, *self.auth.refreshable, *self.auth.codes):
            self.assertNotIn(secret, written)

    def test_its_own_credentials_get_a_token_that_only_the_proxy_puts_in(self):
        self.start(BY_ITSELF)
        self.up()
        self.assertEqual(self.client.text("web__echo", {"text": "x"}), "echo: x")
        [grant] = self.auth.grants
        self.assertEqual((grant["grant_type"], grant["resource"], grant["scope"]), ("client_credentials", RESOURCE, "read"))
        rows = self.proxy.rows(rule_id=RULE)
        self.assertEqual([(row["verdict"], row["method"], row["host"], row["path"]) for row in rows],
                         [("allow", "GET", HOST, "/.well-known/oauth-protected-resource/mcp"),
                          ("allow", "GET", AUTH, "/.well-known/oauth-authorization-server"), ("allow", "POST", AUTH, "/token")])
        asked = self.tools.asked[-1]
        self.assertIn(asked.headers["authorization"].removeprefix("Bearer "), self.auth.live)
        self.assertFalse([name for name in asked.headers if name.startswith("gatehouse")])

    def test_a_token_that_is_refused_or_has_ended_is_had_anew_and_no_call_is_made_twice(self):
        self.auth.lifetime = 4
        self.start(BY_ITSELF)
        self.up("first")
        self.auth.live.clear()  # revoked: the server says 401
        self.assertEqual(self.client.text("web__echo", {"text": "revoked"}), "echo: revoked")
        wait_until(lambda: len(self.auth.grants) >= 4, 30, "renewal ahead of time")
        self.assertEqual(self.client.text("web__echo", {"text": "renewed"}), "echo: renewed")
        self.tools.issuer = self.evil  # takes no token of the issuer's any more
        error = self.client.call("web__echo", {"text": "never"})["error"]
        self.assertIn("refuses the access token", error["message"])
        self.tools.issuer = self.auth
        said = [call["arguments"].get("text") for call in self.tools.calls()]
        self.assertLessEqual(said.count("never"), 3)  # each answered with 401

    def test_more_scope_is_asked_for_where_a_call_needs_it(self):
        self.start(BY_ITSELF)
        self.up()
        self.tools.privileged = "write"
        self.assertEqual(self.client.text("web__echo", {"text": "x"}), "echo: x")
        self.assertEqual(self.auth.grants[-1]["scope"], "read write")
        self.auth.withheld = {"admin"}
        self.tools.privileged = "admin"
        before = len(self.auth.grants)
        self.assertIn("still wants more scope", self.client.call("web__echo")["error"]["message"])
        self.assertEqual(len(self.auth.grants), before + 2)

    def test_nobody_but_those_that_the_policy_names_is_asked(self):
        self.tools.named = [self.evil.issuer]
        self.start(BY_ITSELF)
        error = self.refusal(f'add "https://{EVIL}" to "authorization_servers"')
        self.assertEqual((error["code"], error["data"]["rule"]), (403, RULE))
        self.assertEqual(len(self.gate.rows(event_id=error["data"]["event_id"], verdict="deny", rule_id=RULE)), 1)
        self.assertEqual((self.evil.connections, self.auth.connections), (0, 0))

    def test_an_issuer_that_is_another_or_names_endpoints_elsewhere_gets_no_secret(self):
        for metadata, words in (({"issuer": self.evil.issuer}, '"issuer" is not the one it was asked for'),
                                ({"token_endpoint": f"{self.evil.issuer}/token"}, f"tokens is at https://{EVIL}")):
            self.auth.metadata = metadata
            self.start(BY_ITSELF)
            self.assertEqual(self.refusal(words)["data"]["rule"], RULE)
            self.assertEqual((self.evil.connections, self.auth.grants), (0, []))
            self.gate.close()
            self.proxy.close()

    def test_an_answer_that_holds_the_token_is_withheld(self):
        self.start(BY_ITSELF)
        self.up()
        self.tools.mode = "mirror"
        error = self.client.call("web__echo")["error"]
        self.assertIn("holds the access token", error["message"])
        self.assertFalse([token for token in self.auth.live if token in json.dumps(error)])
        [row] = self.gate.rows("mcp_results", outcome="failed")
        self.assertIn(RULE, row["error"])
        self.tools.mode = "json"
        self.assertEqual(self.client.text("web__echo", {"text": "after"}), "echo: after")

    def test_a_person_logs_in_by_a_browser_and_it_lasts_over_a_restart(self):
        self.auth.lifetime = 3600
        self.start(BY_PERSON)
        error = self.refusal("run `gatehouse mcp login web` on the host")
        self.assertEqual(error["data"]["rule"], RULE)
        self.assertEqual(len(self.gate.rows(event_id=error["data"]["event_id"], verdict="deny", rule_id=RULE)), 1)
        self.assertEqual(self.client.tools(), [])
        self.assertEqual(self.auth.connections, 0)
        done = self.log_in()
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (0, "logged in to web"), done.stderr)
        self.up()
        [grant] = self.auth.grants
        self.assertEqual((grant["grant_type"], grant["resource"]), ("authorization_code", RESOURCE))
        self.assertEqual(self.auth.clients[grant["client_id"]]["application_type"], "native")
        self.assertEqual(stat.S_IMODE(self.tokens.stat().st_mode), 0o600)
        # The next gateway goes on with what was kept; and once that is refused, with the refresh token, and another.
        for expected in (1, 2, 3):
            self.client.close()
            self.gate.restart()
            self.client = self.gate.client()
            self.up(f"after {expected}")
            self.assertEqual(len(self.auth.grants), expected)
            self.auth.live.clear()
        self.assertEqual([grant["grant_type"] for grant in self.auth.grants[1:]], ["refresh_token"] * 2)
        self.assertNotEqual(*(grant["refresh_token"] for grant in self.auth.grants[1:]))
        self.assertEqual(len(self.tokens.read_text().split()), 1)  # nothing is left of those before
        self.auth.refreshable.clear()
        self.assertIn("gatehouse mcp login web", self.client.call("web__echo")["error"]["message"])

    def test_a_login_that_is_not_answered_as_it_should_be_gets_nothing(self):
        self.start(BY_PERSON)
        for iss, words in (("https://evil.demo.test", "another authorization server"), (None, "another authorization server")):
            self.auth.iss = iss
            done = self.log_in()
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
        self.auth.metadata = {"code_challenge_methods_supported": ["plain"]}
        done = self.log_in()
        self.assertEqual(done.returncode, 1)
        self.assertIn("PKCE with S256", done.stderr)
        self.tools.named = [self.evil.issuer]
        self.assertIn(f'add "https://{EVIL}"', self.log_in().stderr)
        self.assertEqual((self.auth.grants, self.evil.connections), ([], 0))

    def test_a_guest_starts_no_login(self):
        self.start(BY_PERSON)
        self.refusal("nobody has logged in")
        self.client.raw(json.dumps({"login": "web", "redirect": "http://127.0.0.1:1/callback"}))
        self.assertEqual(self.client.read()["error"]["code"], -32600)
        self.assertEqual(self.client.ask("login", {"login": "web"})["error"]["code"], -32601)
        self.assertEqual((self.auth.connections, self.auth.codes), (0, {}))


if __name__ == "__main__":
    unittest.main()
