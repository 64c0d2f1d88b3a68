"""Upstreams behind a company's proxy (squid): tunnels with a credential of the policy's, TLS through them end to end, and
each way in which it fails told in words."""

import json
import pathlib
import shutil
import socket
import tempfile
import unittest

from tests.support.gates import Gates
from tests.support.squid import Squid
from tests.support.tls_server import Authority, TlsServer
from tests.support.upstream import Upstream, wait_until

HOST, WRONG, REFUSED, NEAR = "far.demo.test", "wrong.demo.test", "refused.demo.test", "near.demo.test"
CREDENTIAL = "bot:" + "made-up-" + "Pq7Zk2Ww"


class UpstreamProxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.authority = Authority(cls.directory / "ca")
        cls.server = TlsServer(cls.authority.issue("server", HOST, REFUSED, NEAR))
        cls.addClassCleanup(cls.server.close)
        cls.plain = Upstream(cls.directory / "plain", [HOST])
        cls.addClassCleanup(cls.plain.close)
        cls.squid = Squid(CREDENTIAL, [HOST, WRONG, REFUSED], REFUSED)
        cls.addClassCleanup(cls.squid.close)

    def gates(self, name: str, proxy: dict | None = None, value: str = CREDENTIAL, **policy) -> Gates:
        directory = self.directory / name
        directory.mkdir()
        file = directory / "credentials.json"
        file.touch(0o600)
        given = {"secrets": [{"name": "COMPANY_PROXY", "value": value}]}
        file.write_text(json.dumps(given))
        ports = [self.server.port, self.plain.plain]
        gates = Gates(directory / "gates", {
            "http": [{"id": "all", "action": "allow", "hosts": [HOST, WRONG, REFUSED, NEAR], "ports": ports,
                      "schemes": ["http", "https"]}],
            "upstream_proxy": {"url": f"http://127.0.0.1:{self.squid.port}", "credential": "COMPANY_PROXY", **(proxy or {})},
            "secrets": {"COMPANY_PROXY": {"from": "env:UNUSED"}}, **policy,
        }, "--upstream-ca", str(self.authority.certificate), "--credentials", str(file), dlp=True, secrets=given)
        self.addCleanup(gates.close)
        return gates

    def url(self, host: str = HOST) -> str:
        return f"https://{host}:{self.server.port}/x"

    def told(self, gates: Gates, status: int, *words: str, host: str = HOST) -> None:
        """A request fails with that status, and answer and log say why."""
        got, answer = gates.curl(self.url(host))
        self.assertEqual(got, status, answer)
        wait_until(lambda: gates.rows("net_results"), 5, "the row of the result")
        (result,) = gates.rows("net_results")
        for word in words:
            self.assertIn(word, answer)
            self.assertIn(word, result["error"])
        for file in gates.directory.iterdir():
            if file.is_file() and file.name != "secrets.json":  # the scanner's own
                self.assertNotIn(CREDENTIAL.partition(":")[2].encode(), file.read_bytes(), file)

    def test_every_connection_is_a_tunnel_through_it_and_tls_is_with_the_host_itself(self):
        gates = self.gates("tunnels")
        self.server.asked.clear()
        self.assertEqual(gates.curl(self.url())[0], 200)
        self.assertEqual([(asked.path, asked.headers.get("proxy-authorization")) for asked in self.server.asked], [("/x", None)])
        status, body = gates.curl(f"http://{HOST}:{self.plain.plain}/plain")
        self.assertEqual((status, body), (200, f"hello from {HOST}/plain\n"))
        wait_until(lambda: len(gates.rows("net_results")) == 2, 5, "the rows of the results")
        for result in gates.rows("net_results"):
            self.assertEqual(result["upstream_address"], f"127.0.0.1:{self.squid.port} (upstream proxy)")
        gates.close()  # it logs a tunnel that has ended
        self.assertEqual(set(self.squid.asked(f"{HOST}:{self.server.port}")), {"TCP_TUNNEL/200 bot"})
        self.assertEqual(set(self.squid.asked(f"{HOST}:{self.plain.plain}")), {"TCP_TUNNEL/200 bot"})

    def test_a_host_that_is_excepted_or_resolved_by_the_policy_is_reached_directly(self):
        gates = self.gates("direct", {"except": [HOST]}, resolve={NEAR: f"127.0.0.1:{self.server.port}"})
        self.assertEqual(gates.curl(self.url(NEAR))[0], 200)
        status, answer = gates.curl(self.url(HOST))
        self.assertEqual(status, 502, answer)
        self.assertIn("upstream.lookup", answer)  # nobody here knows the name
        wait_until(lambda: len(gates.rows("net_results")) == 2, 5, "the rows of the results")
        self.assertEqual(gates.rows("net_results")[0]["upstream_address"], f"127.0.0.1:{self.server.port}")

    def test_a_certificate_for_another_host_is_refused_through_it_as_well(self):
        self.told(self.gates("certificate"), 502, "upstream.certificate", "hostname mismatch", host=WRONG)

    def test_what_it_refuses_is_told_in_words(self):
        at = f"the upstream proxy 127.0.0.1:{self.squid.port}: "
        self.told(self.gates("denied"), 502, "upstream.proxy", f"{at}it answers 403 Forbidden to CONNECT {REFUSED}:",
                  host=REFUSED)
        self.told(self.gates("other", value="bot:wrong-password"), 502, "upstream.proxy",
                  f"{at}it does not take the secret COMPANY_PROXY (407)")
        self.told(self.gates("nobody", {"credential": "COMPANY_PROXY"}, value="stranger:x-wrong"), 502, "(407)")

    def test_one_that_asks_for_a_password_nobody_has_named_is_told_of(self):
        gates = self.gates("anonymous", upstream_proxy={"url": f"http://127.0.0.1:{self.squid.port}"})
        self.told(gates, 502, "it wants a user and a password (407): name a secret as ")

    def test_one_that_is_not_there_or_does_not_answer_is_told_of(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            self.told(self.gates("silent", {"url": url}, limits={"connect_time": "500ms"}), 504, "upstream.timeout",
                      "the upstream proxy 127.0.0.1:", "did not answer in time")
        self.told(self.gates("away", {"url": url}), 502, "upstream.connect")

    def test_a_credential_that_is_none_is_told_of_at_the_start(self):
        with self.assertRaisesRegex(RuntimeError, r"policy.json:1:\d+: upstream proxy: the credential's value is no "):
            self.gates("no-colon", value="made-up-Pq7Zk2Ww")


if __name__ == "__main__":
    unittest.main()
