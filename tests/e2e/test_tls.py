"""TLS as a policy may shape it, through the real guest: certificates that the proxy shows in the agent's stead, hosts that
are not intercepted, and both behind a company's proxy."""

import base64
import os
import pathlib
import re
import unittest

from tests.support.house import House, Shell
from tests.support.squid import Squid
from tests.support.tls_nginx import TlsNginx
from tests.support.tls_server import Authority
from tests.support.upstream import wait_until

MTLS, OTHER, PINNED = "mtls.demo.test", "other.demo.test", "pinned.demo.test"
FAR, FAR_PINNED = "far.demo.test", "far-pinned.demo.test"  # behind the company's proxy
COMPANY = "bot:" + "made-up-" + "Hq3Vt8Lc"
CURL = "curl -sS --max-time 20 -w '%{http_code}\\n'"


def sized(body: bytes, length: int) -> bytes:
    return len(body).to_bytes(length, "big") + body


def ech_hello(name: str) -> bytes:
    """A ClientHello with an encrypted one in it, or noise in its place (RFC 9849 section 6.2)."""
    sni = sized(b"\0" + sized(name.encode(), 2), 2)
    extensions = b"\xfe\x0d" + sized(bytes(200), 2) + b"\0\0" + sized(sni, 2)
    body = b"\x03\x03" + bytes(32) + b"\0" + sized(b"\x13\x01", 2) + sized(b"\0", 1) + sized(extensions, 2)
    return b"\x16\x03\x01" + sized(b"\x01" + sized(body, 3), 2)


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)
        at = cls.house.directory
        cls.trusted = Authority(at / "trusted")
        clients = Authority(at / "clients", "clients of the upstream")
        certificate, key = clients.issue("agent", "agent.demo.test", usage="clientAuth")
        cls.key = pathlib.Path(key).read_text()
        cls.nginx = TlsNginx(at / "nginx", cls.trusted.issue("server", MTLS, OTHER, PINNED, FAR, FAR_PINNED),
                             {MTLS: str(clients.certificate), OTHER: "", PINNED: "", FAR: "", FAR_PINNED: ""})
        cls.addClassCleanup(cls.nginx.close)
        cls.squid = Squid(COMPANY, [FAR, FAR_PINNED], "refused.demo.test")
        cls.addClassCleanup(cls.squid.close)
        cls.house.environment |= {"GATEHOUSE_E2E_COMPANY": COMPANY,
                                  "GATEHOUSE_E2E_CERT": pathlib.Path(certificate).read_text(), "GATEHOUSE_E2E_KEY": cls.key}
        where = f"127.0.0.1:{cls.nginx.port}"
        cls.rules = {
            "http": [{"id": "all", "action": "allow", "hosts": [MTLS, OTHER]},
                     {"id": "far", "action": "allow", "hosts": [FAR], "ports": [cls.nginx.port]},
                     {"id": "pinned", "action": "allow", "hosts": [PINNED], "tls": "passthrough"},
                     {"id": "far-pinned", "action": "allow", "hosts": [FAR_PINNED], "ports": [cls.nginx.port],
                      "tls": "passthrough"}],
            "upstream_proxy": {"url": f"http://127.0.0.1:{cls.squid.port}", "credential": "COMPANY_PROXY"},
            "secrets": {"OUR_CERT": {"from": "env:GATEHOUSE_E2E_CERT"}, "OUR_KEY": {"from": "env:GATEHOUSE_E2E_KEY"},
                        "COMPANY_PROXY": {"from": "env:GATEHOUSE_E2E_COMPANY"}},
            "tls": {"client_certificates": [{"hosts": [MTLS], "certificate": "OUR_CERT", "key": "OUR_KEY"}]},
            "resolve": {MTLS: where, OTHER: where, PINNED: where},
        }
        cls.shell = Shell(cls.house, "--policy", cls.house.policy(cls.rules), "--name", "tls", "--upstream-ca",
                          str(cls.trusted.certificate))
        cls.addClassCleanup(cls.shell.close)
        cls.shell.run(f"cat > /tmp/pinned.pem <<'END'\n{cls.trusted.certificate.read_text()}END")

    def events(self, **wanted) -> list[dict]:
        return [row for row in self.house.audit("tls") if all(row.get(key) == value for key, value in wanted.items())]

    def row(self, host: str, path: str) -> dict:
        """The verdict on the one request for it."""
        (row,) = self.events(table="net_events", host=host, path=path)
        return row

    def test_a_host_that_asks_is_shown_the_certificate_and_no_other_host_is(self):
        self.assertEqual(self.shell.run(f"{CURL} https://{MTLS}/asks"), (0, f"hello from {MTLS}\n200\n"))
        self.assertEqual(self.nginx.shown("/asks"), [f"{MTLS} SUCCESS CN=upstream"])
        self.assertEqual(self.row(MTLS, "/asks")["detail"], "client certificate OUR_CERT")
        self.assertEqual(self.shell.run(f"{CURL} https://{OTHER}/asks-too"), (0, f"hello from {OTHER}\n200\n"))
        self.assertEqual(self.nginx.shown("/asks-too"), [f"{OTHER} NONE -"])
        self.assertEqual(self.row(OTHER, "/asks-too")["detail"], "")

    def key_bytes(self) -> list[bytes]:
        """Lines of the key's PEM, long enough to be no accident."""
        return [line.encode() for line in self.key.splitlines() if len(line) > 40 and "-" not in line]

    def test_the_key_is_nowhere_but_in_the_proxys_locked_memory(self):
        self.assertEqual(self.shell.run(f"{CURL} https://{MTLS}/used")[1], f"hello from {MTLS}\n200\n")
        lines = self.key_bytes()
        self.assertGreaterEqual(len(lines), 2)
        for kept in ("state", "run"):
            for file in (self.house.directory / kept).rglob("*"):
                if file.is_file():
                    content = file.read_bytes()
                    self.assertFalse([line for line in lines if line in content], file)
        for name in ("gatehouse", "gatehouse-proxy", "gatehouse-dlp", "gatehouse-dns", "gatehouse-bridge", "qemu-system-x86_64"):
            for pid in self.house.pids("tls", name):
                shown = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                if name != "gatehouse":  # the user's own environment is where it comes from
                    shown += pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                self.assertFalse([line for line in lines if line in shown], name)
        self.assertNotIn("PRIVATE", self.shell.run("env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'")[1])
        (proxy,) = self.house.pids("tls", "gatehouse-proxy")
        der = base64.b64decode(b"".join(lines))
        number = der[der.index(b"\x04\x20") + 2:][:32]  # RFC 5915 section 3
        locked, unlocked = self.copies(proxy, [*lines, number, number[::-1]])  # OpenSSL's own has its last byte first
        self.assertNotEqual(locked, [])
        self.assertEqual(unlocked, [])

    @staticmethod
    def copies(pid: int, secrets: list[bytes]) -> tuple[list[str], list[str]]:
        """Mappings of a process that hold one of `secrets`: those locked and kept out of core dumps, and the others."""
        locked, unlocked = [], []
        with open(f"/proc/{pid}/smaps") as smaps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            mapping = ""
            for line in smaps:
                if re.match("[0-9a-f]+-[0-9a-f]+ r", line):
                    mapping = line
                elif line.startswith("VmFlags:") and mapping:
                    begin, end = (int(part, 16) for part in mapping.split()[0].split("-"))
                    try:
                        content = os.pread(memory.fileno(), end - begin, begin)
                    except OSError:
                        content = b""  # [vvar]
                    if any(secret in content for secret in secrets):
                        (locked if {"lo", "dd"} <= set(line.split()) else unlocked).append(mapping.strip())
                    mapping = ""
        return locked, unlocked

    def test_a_client_that_pins_its_servers_certificate_gets_through_uninspected(self):
        self.assertEqual(self.shell.run(f"{CURL} --cacert /tmp/pinned.pem https://{PINNED}/pinned"),
                         (0, f"hello from {PINNED}\n200\n"))
        self.assertEqual(self.nginx.shown("/pinned"), [f"{PINNED} NONE -"])
        event = self.events(table="net_events", channel="tls", verdict="allow")[-1]
        self.assertEqual((event["host"], event["sni"], event["port"], event["rule_id"], event["detail"], event["path"]),
                         (PINNED, PINNED, 443, "pinned", "tls: passthrough, uninspected", ""))
        wait_until(lambda: self.events(table="net_results", event_id=event["event_id"]), 5, "the row of the result")
        (result,) = self.events(table="net_results", event_id=event["event_id"])
        self.assertEqual((result["upstream_address"], result["error"]), (f"127.0.0.1:{self.nginx.port}", ""))
        self.assertGreater(result["bytes_out"], 500)
        self.assertGreater(result["bytes_in"], 500)
        # Who trusts the session's authority alone meets a certificate of another: nobody stands between.
        code, told = self.shell.run(f"{CURL} https://{PINNED}/not-trusted")
        self.assertEqual(code, 60, told)

    def test_what_is_not_intercepted_is_the_host_it_was_looked_up_for(self):
        connect = "import socket, ssl; c = ssl.create_default_context(cafile='/tmp/pinned.pem'); c.check_hostname = False; "
        cases = {
            "name.mismatch": f"{CURL} -k --connect-to {OTHER}:443:{PINNED}:443 https://{OTHER}/fronted",
            "tls.no-name": f"python3 -c \"{connect} c.wrap_socket(socket.create_connection(('{PINNED}', 443)))\"",
            "tls.encrypted-hello": f"python3 -c \"import socket; s = socket.create_connection(('{PINNED}', 443)); "
                                   f"s.sendall(bytes.fromhex('{ech_hello(PINNED).hex()}')); print(s.recv(99).hex())\"",
        }
        served = (self.nginx.directory / "access.log").read_text()
        for rule, command in cases.items():
            with self.subTest(rule):
                _, told = self.shell.run(command)
                self.assertRegex(told, "unrecognized name|UNRECOGNIZED_NAME|access denied|15030300020231")
                event = self.events(table="net_events", channel="tls")[-1]
                self.assertEqual((event["host"], event["verdict"], event["rule_id"]), (PINNED, "deny", rule))
                self.assertEqual(self.events(table="net_results", event_id=event["event_id"]), [])
        self.assertEqual((self.nginx.directory / "access.log").read_text(), served)

    def test_what_is_behind_the_companys_proxy_is_reached_through_it(self):
        for host, options in ((FAR, ""), (FAR_PINNED, "--cacert /tmp/pinned.pem")):
            with self.subTest(host):
                target = f"{host}:{self.nginx.port}"
                self.assertEqual(self.shell.run(f"{CURL} {options} https://{target}/{host}"),
                                 (0, f"hello from {host}\n200\n"))
                event = self.events(table="net_events", host=host)[-1]
                wait_until(lambda: self.events(table="net_results", event_id=event["event_id"]), 5, "the row of the result")
                (result,) = self.events(table="net_results", event_id=event["event_id"])
                self.assertEqual(result["upstream_address"], f"127.0.0.1:{self.squid.port} (upstream proxy)")
        self.assertEqual(self.squid.asked(f"{FAR_PINNED}:{self.nginx.port}"), ["TCP_TUNNEL/200 bot"])
        self.assertNotIn("made-up-", self.shell.run("env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'")[1])

    def test_a_certificate_that_could_not_be_shown_is_told_of_with_its_place(self):
        _, another = self.trusted.issue("another", "x.demo.test", usage="clientAuth")
        expired, expired_key = self.trusted.issue("expired", "x.demo.test", usage="clientAuth", days=(-3, -1))
        cases = {
            "the key does not belong to the certificate": {"GATEHOUSE_E2E_KEY": pathlib.Path(another).read_text()},
            "the certificate has expired: it was valid until ": {"GATEHOUSE_E2E_CERT": pathlib.Path(expired).read_text(),
                                                                 "GATEHOUSE_E2E_KEY": pathlib.Path(expired_key).read_text()},
        }
        policy = self.house.policy(self.rules, "refused.json")
        environment = dict(self.house.environment)
        for told, changed in cases.items():
            with self.subTest(told):
                self.house.environment = environment | changed
                self.addCleanup(setattr, self.house, "environment", environment)
                done = self.house.gatehouse("run", "--policy", policy, "--", "true")
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, re.escape(policy) + r":1:\d+: client certificate: " + re.escape(told))


if __name__ == "__main__":
    unittest.main()
