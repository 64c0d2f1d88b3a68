"""The guest attacks: each attack ends in a denial or a closed connection, and others go on."""

import os

from tests.support.house import HouseTest, Shell
from tests.support.upstream import wait_until

# A small attacker for the guest: raw bytes to a vsock port, and what came back.
ATTACKER = r"""
cat > /tmp/attack.py <<'PY'
import socket, struct
def vsock(port, timeout=10):
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); s.settimeout(timeout); s.connect((2, port)); return s
def proxy_v2(destination='198.18.0.1', port=80):
    addresses = socket.inet_aton('10.0.0.1') + socket.inet_aton(destination) + struct.pack('>HH', 40000, port)
    return b'\r\n\r\n\0\r\nQUIT\n\x21\x11' + struct.pack('>H', len(addresses)) + addresses
def answer(s):
    got = b''
    try:
        while True:
            more = s.recv(65536)
            if not more: break
            got += more
    except OSError as error: got += repr(error).encode()
    return got.decode('latin-1')
def http(raw, **to):
    s = vsock(1080); s.sendall(proxy_v2(**to) + raw); s.shutdown(socket.SHUT_WR); print(answer(s)[:2000])
PY
"""


class Hostile(HouseTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        policy = cls.house.policy({
            "http": [{"id": "plain", "action": "allow", "hosts": ["api.demo.test"], "schemes": ["http", "https"]}],
            "resolve": cls.resolve()})
        cls.shell = Shell(cls.house, "--policy", policy, "--name", "hostile", "--upstream-ca", str(cls.upstream.ca))
        cls.addClassCleanup(cls.shell.close)
        cls.shell.run(ATTACKER)
        # The name gets its address before the attacks begin.
        cls.pool = cls.shell.run("dig +short api.demo.test")[1].strip()

    def tearDown(self):
        code, output = self.shell.run("curl -sS https://api.demo.test/still-works")
        self.assertEqual(code, 0, output)

    def attack(self, python: str, seconds: float = 60) -> str:
        return self.shell.run(f"cd /tmp && python3 - <<'PY'\nfrom attack import *\n{python}\nPY", seconds)[1]

    def test_smuggling_is_refused_with_its_rule(self):
        for name, raw, rule in [
            ("length and chunked at once", r"POST / HTTP/1.1\r\nHost: api.demo.test\r\nContent-Length: 3\r\n"
             r"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "http."),
            ("two lengths", r"POST / HTTP/1.1\r\nHost: api.demo.test\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
             "http."),
            ("bare line feeds", r"GET / HTTP/1.1\nHost: api.demo.test\n\n", "http."),
            ("a folded header", r"GET / HTTP/1.1\r\nHost: api.demo.test\r\nA: b\r\n c\r\n\r\n", "http."),
            ("two hosts", r"GET / HTTP/1.1\r\nHost: api.demo.test\r\nHost: other.demo.test\r\n\r\n", "http."),
        ]:
            with self.subTest(name):
                rows, requests = len(self.house.audit("hostile")), len(self.upstream.requests())
                output = self.attack(f"http(b'{raw}', destination='{self.pool}')")
                self.assertIn("400", output)
                denied = [row for row in self.house.audit("hostile")[rows:] if row["verdict"] == "deny"]
                self.assertTrue(denied and denied[-1]["rule_id"].startswith(rule), denied)
                self.assertEqual(len(self.upstream.requests()), requests)

    def test_a_header_line_of_64_kb_is_refused(self):
        output = self.attack(f"http(b'GET / HTTP/1.1\\r\\nHost: api.demo.test\\r\\nX: ' + b'a'*65536 + b'\\r\\n\\r\\n', "
                             f"destination='{self.pool}')")
        self.assertIn("431", output)

    def test_half_a_proxy_header_is_closed_with_a_row(self):
        rows = len(self.house.audit("hostile"))
        self.attack("s = vsock(1080); s.sendall(proxy_v2()[:20]); s.shutdown(socket.SHUT_WR); print(answer(s))")
        self.assertTrue([row for row in self.house.audit("hostile")[rows:]
                         if row["verdict"] == "deny" and row["rule_id"].startswith("proxy")])

    def test_an_unknown_vsock_port_is_reset_and_logged(self):
        self.attack("import sys\ntry:\n  vsock(4242)\nexcept OSError as error:\n  print(error)")
        wait_until(lambda: self.rows("hostile", channel="vsock", port=4242, verdict="deny", rule_id="vsock.port"), 10,
                   "the row")

    def test_a_flood_of_connections_leaks_no_descriptor(self):
        (bridge,), (proxy,) = self.house.pids("hostile", "gatehouse-bridge"), self.house.pids("hostile", "gatehouse-proxy")
        before = [len(os.listdir(f"/proc/{pid}/fd")) for pid in (bridge, proxy)]
        self.attack("import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\nheld = []\n"
                    "for i in range(2000):\n  try: held.append(vsock(1080))\n  except OSError: break\n"
                    "print(len(held))\n[s.close() for s in held]", seconds=300)
        wait_until(lambda: all(len(os.listdir(f"/proc/{pid}/fd")) <= was + 8
                               for pid, was in zip((bridge, proxy), before)), 60, "descriptors to be given back")

    def test_malformed_dns_gets_an_answer_or_a_close_and_a_row(self):
        header = r"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
        for name, message in [
            ("a compression loop", rf"b'{header}\xc0\x0c\x00\x01\x00\x01'"),
            ("a truncated question", rf"b'{header}\x03abc'"),
            ("an oversize message", rf"b'{header}' + b'\x3f' + b'a'*63 + b'\x3f'*60000"),
        ]:
            with self.subTest(name):
                rows = len(self.house.audit("hostile"))
                self.attack(f"m = {message}\ns = vsock(53); s.sendall(struct.pack('>H', len(m)) + m)\n"
                            "s.shutdown(socket.SHUT_WR); print(len(answer(s)))")
                self.assertTrue([row for row in self.house.audit("hostile")[rows:] if row["rule_id"] == "dns.malformed"])
