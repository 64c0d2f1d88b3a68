"""The guest attacks: each attack ends in a denial or a closed connection, and others go on."""

import json
import os
import subprocess

from tests.support.house import BOOT_SECONDS, GATEHOUSE, HouseTest, Shell
from tests.support.upstream import wait_until

# A small attacker for the guest: raw bytes to a vsock port, and what came back.
ATTACKER = r"""
cat > /tmp/attack.py <<'PY'
import json, re, socket, ssl, struct
def vsock(port, timeout=10):
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); s.settimeout(timeout); s.connect((2, port)); return s
def proxy_v2(destination='198.18.0.1', port=80, command=0x21, extensions=b''):
    family = socket.AF_INET6 if ':' in destination else socket.AF_INET
    source = '::1' if ':' in destination else '10.0.0.1'
    addresses = (socket.inet_pton(family, source) + socket.inet_pton(family, destination) +
                 struct.pack('>HH', 40000, port) + extensions)
    return (b'\r\n\r\n\0\r\nQUIT\n' + bytes([command, 0x21 if ':' in destination else 0x11]) +
            struct.pack('>H', len(addresses)) + addresses)
def answer(s):
    got = b''
    try:
        while True:
            more = s.recv(65536)
            if not more: break
            got += more
    except OSError as error: got += repr(error).encode()
    return got.decode('latin-1')
def tls(destination, sni, context=None, session=None):
    s = vsock(1080); s.sendall(proxy_v2(destination, 443))
    return (context or ssl._create_unverified_context()).wrap_socket(s, server_hostname=sni, session=session)
def ask(s, raw):
    # The status and the rule of one response; the connection can go on.
    s.sendall(raw); got = b''
    while b'\r\n\r\n' not in got:
        more = s.recv(65536)
        if not more: return ['closed', None]
        got += more
    head, _, body = got.partition(b'\r\n\r\n')
    length = re.search(rb'Content-Length: (\d+)', head)
    while length and len(body) < int(length.group(1)): body += s.recv(65536)
    rule = re.search(rb'Gatehouse-Rule: ([^\r]+)', head)
    return [head.split()[1].decode(), rule and rule.group(1).decode()]
def get(path, host='api.demo.test', fields=''): return f'GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n'.encode()
def http(raw, **to):
    s = vsock(1080); s.sendall(proxy_v2(**to) + raw); s.shutdown(socket.SHUT_WR); print(answer(s)[:2000])
PY
"""


class Hostile(HouseTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        policy = cls.house.policy({
            "http": [{"id": "plain", "action": "allow", "hosts": ["api.demo.test"], "schemes": ["http", "https"]},
                     {"id": "no-keys", "action": "deny", "hosts": ["api.demo.test"], "paths": ["/v1/keys/**"]},
                     {"id": "other", "action": "allow", "hosts": ["other.demo.test"]}],
            "resolve": cls.resolve()})
        cls.shell = Shell(cls.house, "--policy", policy, "--name", "hostile", "--upstream-ca", str(cls.upstream.ca))
        cls.addClassCleanup(cls.shell.close)
        cls.shell.run(ATTACKER)
        # The name gets its address before the attacks begin.
        cls.pool = cls.shell.run("dig +short api.demo.test")[1].strip()
        cls.other = cls.shell.run("dig +short other.demo.test")[1].strip()

    def tearDown(self):
        code, output = self.shell.run("curl -sS https://api.demo.test/still-works")
        self.assertEqual(code, 0, output)

    def attack(self, python: str, seconds: float = 60) -> str:
        return self.shell.run(f"cd /tmp && python3 - <<'PY'\nfrom attack import *\n{python}\nPY", seconds)[1]

    def test_smuggling_is_refused_with_its_rule(self):
        host = r"Host: api.demo.test\r\n"
        refused = {
            "http.length-and-transfer-encoding":
                rf"POST / HTTP/1.1\r\n{host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "http.content-length-twice":
                rf"POST / HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            "http.bare-lf": r"GET / HTTP/1.1\nHost: api.demo.test\n\n",
            "http.line-folding": rf"GET / HTTP/1.1\r\n{host}A: b\r\n c\r\n\r\n",
            "http.host-twice": rf"GET / HTTP/1.1\r\n{host}Host: other.demo.test\r\n\r\n",
        }
        rows, requests = len(self.house.audit("hostile")), len(self.upstream.requests())
        table = ", ".join(f"'{rule}': b'{raw}'" for rule, raw in refused.items())
        answered = self.answers(f"""
said = {{}}
for rule, raw in {{{table}}}.items():
    s = vsock(1080); s.sendall(proxy_v2({self.pool!r})); said[rule] = ask(s, raw)
print(json.dumps(said))""")
        self.assertEqual(answered, {rule: ["400", rule] for rule in refused})
        denied = [row["rule_id"] for row in self.house.audit("hostile")[rows:] if row["verdict"] == "deny"]
        self.assertEqual(denied, list(refused))
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

    def answers(self, python: str) -> dict:
        """What `python` prints: one JSON object."""
        output = self.attack(python)
        try:
            return json.loads(output)
        except json.JSONDecodeError:
            self.fail(output)

    def test_no_spelling_of_a_path_escapes_the_rule_that_denies_it(self):
        denied = {path: "no-keys" for path in [
            "/v1/keys/1", "/v1//keys/1", "//v1/keys/1", "/v1/%6beys/1", "/v1/%256beys/1", "/v1/%25256beys/1",
            "/v1%2fkeys%2f1", "/v1/keys;a=b/1", "/v1;x/keys/1", "/v1/keys%3f/1", "/v1/keys%23", "/%76%31/keys/",
            "http://api.demo.test/v1/keys/1", "HTTP://API.Demo.Test:80/v1/keys/1"]}
        denied |= {path: "path.ambiguous" for path in [
            "/v1/x/../keys/1", "/v1/x/%2e%2e/keys/1", "/v1/./keys/1", "/.;/v1/keys/1", "/v1/..;/v1/keys/1",
            "/v1/keys%00/1", "/v1%5ckeys/1", "/v1/k%C0%AFeys/1", "/v1/%u006beys/1", "/ok%0d%0aX:y"]}
        before = len(self.upstream.requests())
        answered = self.answers(
            f"s = vsock(1080); s.sendall(proxy_v2({self.pool!r}, 80))\n"
            f"print(json.dumps({{path: ask(s, get(path)) for path in {list(denied)!r}}}))")
        self.assertEqual(answered, {path: ["403", rule] for path, rule in denied.items()})
        self.assertEqual(len(self.upstream.requests()), before)

    def test_no_name_can_be_used_for_another(self):
        before = len(self.upstream.requests())
        answered = self.answers(f"""
pool, other = {self.pool!r}, {self.other!r}
said = {{}}
s = tls(pool, 'api.demo.test')
said['as allowed'] = ask(s, get('/first'))
said['another Host on a kept connection'] = ask(s, get('/x', 'other.demo.test'))
said['CONNECT within'] = ask(s, b'CONNECT other.demo.test:443 HTTP/1.1\\r\\nHost: other.demo.test:443\\r\\n\\r\\n')
said['another port'] = ask(s, get('/x', 'api.demo.test:8443'))
said['another method'] = ask(s, get('/x', fields='X-HTTP-Method-Override: DELETE\\r\\n'))
said['another path'] = ask(s, get('/x', fields='X-Original-URL: /v1/keys/1\\r\\n'))
said['another SNI'] = ask(tls(pool, 'other.demo.test'), get('/x'))
said['another SNI and Host'] = ask(tls(pool, 'other.demo.test'), get('/x', 'other.demo.test'))
said['another address'] = ask(tls(other, 'api.demo.test'), get('/x'))
said['no SNI'] = ask(tls(pool, None), get('/x'))
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = version
    first = tls(pool, 'api.demo.test', context)
    ask(first, get('/v1/keys/1'))
    again = tls(other, 'other.demo.test', context, first.session)
    said[version.name + ' session of another name'] = ask(again, get('/x')) + [again.session_reused]
print(json.dumps(said))""")
        mismatch = ["403", "name.mismatch"]
        self.assertEqual(answered, {
            "as allowed": ["200", None], "another Host on a kept connection": mismatch,
            "CONNECT within": ["403", "protocol.connect"], "another port": mismatch,
            "another method": ["403", "http.override"], "another path": ["403", "http.override"],
            "another SNI": mismatch, "another SNI and Host": mismatch, "another address": mismatch, "no SNI": mismatch,
            "TLSv1_2 session of another name": mismatch + [False],
            "TLSv1_3 session of another name": mismatch + [False]})
        self.assertEqual(len(self.upstream.requests()), before + 1)

    def test_a_lying_proxy_header_reaches_nothing(self):
        before = self.upstream.connections()
        answered = self.answers(f"""
said = {{}}
for name, header in {{
    'loopback': proxy_v2('127.0.0.1', {self.upstream.plain}), 'mapped loopback': proxy_v2('::ffff:127.0.0.1', 80),
    'IPv6 loopback': proxy_v2('::1', 80), 'metadata': proxy_v2('169.254.169.254', 80),
    'never given out': proxy_v2('198.18.77.77', 80),
    'another pool address': proxy_v2({self.other!r}, 80), 'another port': proxy_v2({self.pool!r}, {self.upstream.plain}),
    'LOCAL': proxy_v2({self.pool!r}, 80, command=0x20), 'version 1': b'PROXY TCP4 1.1.1.1 {self.pool} 1 80\\r\\n',
    'port 0': proxy_v2({self.pool!r}, 0), 'an extension too long': proxy_v2({self.pool!r}, 80, extensions=b'\\4\\xff\\xffx'),
}}.items():
    s = vsock(1080)
    try: said[name] = ask(s, header + get('/x'))
    except OSError: said[name] = ['closed', None]
print(json.dumps(said))""")
        unknown, mismatch, closed = ["403", "address.unknown"], ["403", "name.mismatch"], ["closed", None]
        self.assertEqual(answered, {
            "loopback": unknown, "mapped loopback": unknown, "IPv6 loopback": unknown, "metadata": unknown,
            "never given out": unknown, "another pool address": mismatch, "another port": mismatch, "LOCAL": closed,
            "version 1": closed, "port 0": closed, "an extension too long": closed})
        self.assertEqual(self.upstream.connections(), before)

    def test_the_listing_shows_one_plain_line_a_row_whatever_the_guest_sends(self):
        evil = r"\x1b[2J\x1b]0;x\x07\r\n\xe2\x80\xae"
        rows = len(self.house.audit("hostile"))
        self.attack(f"evil = b'{evil}'\n"
                    "q = b'\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + bytes([len(evil)]) + evil + b'\\4test\\0\\0\\1\\0\\1'\n"
                    "s = vsock(53); s.sendall(struct.pack('>H', len(q)) + q); s.recv(4096)\n"
                    f"for raw in (b'GET /' + evil + b' HTTP/1.1', b'GET / HTTP/1.1\\r\\nHost: ' + evil, evil,\n"
                    "            b'GET /a%1b%5b2J%0a HTTP/1.1\\r\\nHost: api.demo.test', b'\\x16\\3\\1' + evil):\n"
                    f"  http(raw + b'\\r\\n\\r\\n', destination={self.pool!r})\n"
                    f"try: tls({self.pool!r}, 'a\\x1b[2Jb')\nexcept (OSError, ValueError, UnicodeError): pass")
        listed = self.house.audit("hostile")  # one JSON object a line, or this fails
        self.assertGreaterEqual(len(listed), rows + 6)
        table = self.house.gatehouse("audit", "hostile").stdout
        for line in table.splitlines():
            self.assertTrue(line.isprintable(), repr(line))
            self.assertRegex(line, r"^(TIME |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} )")

    def test_a_closed_standard_input_is_an_empty_one(self):
        run = subprocess.run(["sh", "-c", '"$@" <&-', "sh", GATEHOUSE, "run", "--", "sh", "-c", "cat; echo end; exit 7"],
                             env=self.house.environment, capture_output=True, text=True, timeout=BOOT_SECONDS)
        self.assertEqual((run.returncode, run.stdout), (7, "end\n"), run.stderr)
