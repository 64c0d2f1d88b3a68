"""Whom the proxy takes for an upstream: a table of certificates, and what the agent is told of each."""

import concurrent.futures
import dataclasses
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from tests.support.gates import Gates
from tests.support.tls_server import Authority, TlsServer
from tests.support.upstream import free_port, openssl, wait_until

HOST = "api.demo.test"


@dataclasses.dataclass
class Case:
    name: str
    told: str                                     # "" for a certificate that is taken
    issue: dict = dataclasses.field(default_factory=dict)
    names: tuple[str, ...] = (HOST,)
    by: str = "trusted"                           # "stranger", or "itself"
    revoked: bool = False


CASES = [
    Case("a good one", ""),
    Case("RSA of 2048 bits", "", {"key": "rsa:2048"}),
    Case("a wildcard of one label", "", names=("*.demo.test",)),
    Case("expired", "certificate has expired (it was valid until ", {"days": (-3, -1)}),
    Case("not yet valid", "certificate is not yet valid (it is valid from ", {"days": (1, 3)}),
    Case("for another host", "hostname mismatch (it is for other.demo.test, www.demo.test, not for api.demo.test)",
         names=("other.demo.test", "www.demo.test")),
    Case("a partial wildcard", "hostname mismatch", names=("a*.demo.test",)),
    Case("a wildcard of two labels", "hostname mismatch", names=("*.test",)),
    Case("self-signed", "self-signed certificate", by="itself"),
    Case("of an unknown authority", "(its issuer 'CN = stranger' is not trusted here)", by="stranger"),
    Case("RSA of 1024 bits", "EE certificate key too weak", {"key": "rsa:1024"}),
    Case("signed with SHA-1", "CA signature digest algorithm too weak", {"digest": "sha1"}),
    Case("for clients only", "unsuitable certificate purpose", {"usage": "clientAuth"}),
    Case("that demands a statement which the server has not", "not revoked (OCSP), which it demands",
         {"more": "tlsfeature = status_request"}),
    Case("revoked, by a list", "certificate revoked", revoked=True),
]


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class UpstreamTls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.trusted = Authority(cls.directory / "trusted")
        cls.stranger = Authority(cls.directory / "stranger", "stranger")
        cls.listed = Authority(cls.directory / "listed", "with a list")

    def certificate(self, case: Case, file: str) -> tuple[str, str]:
        if case.by == "itself":
            pem, key = str(self.directory / "self.pem"), str(self.directory / "self.key")
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=itself",
                    "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", key, "-out", pem)
            return pem, key
        authority = self.listed if case.revoked else self.stranger if case.by == "stranger" else self.trusted
        issued = authority.issue(file, *case.names, **case.issue)
        if case.revoked:
            authority.revoke(file)
        return issued

    def gates(self, name: str, port: int, roots: str = "", given: dict | None = None, **policy) -> Gates:
        directory = self.directory / name
        directory.mkdir()
        ca = directory / "roots.pem"
        ca.write_text(self.trusted.certificate.read_text() + roots)
        options = ["--upstream-ca", str(ca)]
        if given:
            file = directory / "credentials.json"
            file.touch(0o600)
            file.write_text(json.dumps(given))
            options += ["--credentials", str(file)]
        gates = Gates(directory / "gates", {
            "http": [{"id": "all", "action": "allow", "hosts": [HOST]}], "resolve": {HOST: f"127.0.0.1:{port}"}, **policy},
            *options, dlp=given is not None, secrets=given)
        self.addCleanup(gates.close)
        return gates

    def refused(self, gates: Gates, told: str) -> None:
        status, answer = gates.curl(f"https://{HOST}/x")
        self.assertEqual(status, 502, answer)
        self.assertIn("upstream.certificate", answer)
        self.assertIn(told, answer)
        wait_until(lambda: gates.rows("net_results"), 5, "the row of the result")  # nobody waits for it
        (result,) = gates.rows("net_results")
        self.assertIn("upstream.certificate: ", result["error"])
        self.assertIn(told, result["error"])

    def test_every_certificate_is_looked_at(self):
        for number, case in enumerate(CASES):
            with self.subTest(case.name):
                server = TlsServer(self.certificate(case, f"case{number}"))
                self.addCleanup(server.close)
                roots = ""
                if case.revoked:
                    roots = self.listed.certificate.read_text() + self.listed.revocation_list(f"case{number}")
                gates = self.gates(f"case{number}", server.port, roots)
                if case.told:
                    self.refused(gates, case.told)
                    self.assertEqual(server.asked, [])
                else:
                    self.assertEqual(gates.curl(f"https://{HOST}/x")[0], 200)
                    self.assertEqual([asked.path for asked in server.asked], ["/x"])

    def test_an_authority_with_a_list_and_one_without_are_taken(self):
        roots = self.listed.certificate.read_text()
        for name, authority in {"with": self.listed, "without": self.trusted}.items():
            server = TlsServer(authority.issue(f"crl-{name}", HOST))
            self.addCleanup(server.close)
            gates = self.gates(f"crl-{name}", server.port, roots + self.listed.revocation_list("crl-with"))
            self.assertEqual(gates.curl(f"https://{HOST}/x")[0], 200)

    def test_what_the_server_says_of_its_certificate_counts(self):
        for name, revoked in {"good": False, "revoked": True}.items():
            with self.subTest(name):
                pem, key = self.trusted.issue(f"ocsp-{name}", HOST, more="tlsfeature = status_request")
                if revoked:
                    self.trusted.revoke(f"ocsp-{name}")
                port = free_port()
                server = subprocess.Popen(
                    ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pem, "-key", key, "-www", "-quiet",
                     "-status_file", self.trusted.status_of(f"ocsp-{name}")],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.addCleanup(server.wait)
                self.addCleanup(server.kill)
                wait_until(lambda: accepts(port), 10, "openssl s_server")
                gates = self.gates(f"ocsp-{name}", port)
                if revoked:
                    self.refused(gates, "certificate revoked (its server says so)")
                else:
                    self.assertEqual(gates.curl(f"https://{HOST}/x")[0], 200)

    def test_tls_1_2_and_1_3_are_spoken_and_sessions_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version.name):
                server = TlsServer(self.trusted.issue(version.name, HOST), version=version)
                self.addCleanup(server.close)
                gates = self.gates(version.name, server.port)
                server.answer = lambda asked: (200, {"Connection": "close"}, [b"x"])
                for _ in range(3):
                    self.assertEqual(gates.curl(f"https://{HOST}/x")[0], 200)
                self.assertEqual(server.versions, [version.name.replace("_", ".")] * 3)
                self.assertEqual(server.resumed, [False, True, True])

    def test_a_host_that_asks_who_it_is_is_shown_a_certificate_and_no_other(self):
        pem, key = self.stranger.issue("us", "gatehouse.demo.test", usage="clientAuth")
        chain = pathlib.Path(pem).read_text() + self.stranger.certificate.read_text()
        given = {"secrets": [{"name": "OUR_CERTIFICATE", "value": chain},
                             {"name": "OUR_KEY", "value": pathlib.Path(key).read_text()}]}
        for name, hosts, status in [("shown", [HOST], 200), ("for-another", ["other.demo.test"], 502)]:
            with self.subTest(name):
                server = TlsServer(self.trusted.issue(name, HOST), client_ca=str(self.stranger.certificate))
                self.addCleanup(server.close)
                gates = self.gates(name, server.port, given=given, **{
                    "secrets": {secret["name"]: {"from": "env:UNUSED"} for secret in given["secrets"]},
                    "tls": {"client_certificates": [{"hosts": hosts, "certificate": "OUR_CERTIFICATE", "key": "OUR_KEY"}]}})
                self.assertEqual(gates.curl(f"https://{HOST}/x")[0], status)
                self.assertEqual([peer["subject"] for peer in server.peers],
                                 [((("commonName", "upstream"),),)] if status == 200 else [])
                log = (gates.directory / "gatehouse-proxy.log").read_text()
                self.assertNotIn("PRIVATE KEY", log)

    def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused_at_the_start(self):
        pem, _ = self.stranger.issue("one", "gatehouse.demo.test", usage="clientAuth")
        _, key = self.stranger.issue("another", "gatehouse.demo.test", usage="clientAuth")
        given = {"secrets": [{"name": "C", "value": pathlib.Path(pem).read_text()},
                             {"name": "K", "value": pathlib.Path(key).read_text()}]}
        with self.assertRaisesRegex(RuntimeError, r"policy.json:1:\d+: client certificate: the key does not belong to the certificate"):
            self.gates("mismatch", 1, given=given, secrets={"C": {"from": "env:UNUSED"}, "K": {"from": "env:UNUSED"}},
                       tls={"client_certificates": [{"hosts": [HOST], "certificate": "C", "key": "K"}]})

    def test_many_who_come_at_once_for_a_name_never_seen_are_served_one_certificate(self):
        server = TlsServer(self.trusted.issue("single", HOST))
        self.addCleanup(server.close)
        gates = self.gates("single", server.port)
        context = ssl.create_default_context(cafile=str(gates.ca))
        waiting = []
        for _ in range(16):
            stream = socket.create_connection(("127.0.0.1", gates.port), timeout=20)
            self.addCleanup(stream.close)
            stream.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
            self.assertIn(b" 200 ", stream.recv(4096))
            waiting.append(stream)
        begin = threading.Barrier(len(waiting))

        def certificate(stream: socket.socket) -> bytes:
            begin.wait(20)
            with context.wrap_socket(stream, server_hostname=HOST) as tls:
                return tls.getpeercert(binary_form=True)

        with concurrent.futures.ThreadPoolExecutor(len(waiting)) as pool:
            self.assertEqual(len(set(pool.map(certificate, waiting))), 1)

    def test_what_is_older_is_not_spoken(self):
        server = TlsServer(self.trusted.issue("old", HOST), version=ssl.TLSVersion.TLSv1_1)
        self.addCleanup(server.close)
        gates = self.gates("old", server.port)
        status, answer = gates.curl(f"https://{HOST}/x")
        self.assertEqual(status, 502)
        self.assertIn("upstream.tls", answer)
        self.assertEqual(server.asked, [])

    def test_a_way_round_is_not_passed_on(self):
        server = TlsServer(self.trusted.issue("alt-svc", HOST))
        self.addCleanup(server.close)
        server.answer = lambda asked: (200, {"Alt-Svc": 'h3=":443"', "X-Kept": "1"}, [b"x"])
        status, answer = self.gates("alt-svc", server.port).curl(f"https://{HOST}/x", "-i")
        self.assertEqual(status, 200)
        self.assertIn("x-kept", answer.lower())
        self.assertNotIn("alt-svc", answer.lower())


if __name__ == "__main__":
    unittest.main()
