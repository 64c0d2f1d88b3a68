"""Another policy takes the place of the one in force, without a restart: in a session, and on gates run by hand."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import tempfile
import unittest

from tests.support.gates import Gates
from tests.support.house import HouseTest, Shell
from tests.support.upstream import Upstream, wait_until

TOKEN = "ghp_" + "A" * 36
PATIENCE = 180  # seconds, for an emulated guest on a busy machine
CURL = "curl -sS --max-time 120 -w '\\n%{http_code}\\n'"

# Asks one question after another on one connection, each when the file of its number is there.
CLIENT = r"""
cat > /tmp/client.py <<'PY'
import http.client, os, time
connection = http.client.HTTPSConnection('api.demo.test', timeout=60)
number = 0
while True:
    number += 1
    while not os.path.exists(f'/tmp/ask.{number}'):
        time.sleep(0.05)
    connection.request('GET', f'/asked/{number}')
    before = connection.sock.getsockname()
    answer = connection.getresponse()
    text = f'{answer.status} {before[1]} {answer.read().decode()}'
    open(f'/tmp/answer.{number}.new', 'w').write(text)
    os.rename(f'/tmp/answer.{number}.new', f'/tmp/answer.{number}')
PY
python3 /tmp/client.py > /tmp/client.out 2>&1 &
"""


def rule(identity: str, action: str, host: str) -> dict:
    return {"id": identity, "action": action, "hosts": [host]}


class Reload(HouseTest):
    def policy(self, *rules: dict, **more) -> str:
        return self.house.policy({"http": list(rules), "resolve": self.resolve(), **more})

    def reload(self):
        return self.house.gatehouse("policy", "reload", "--session", "reloading")

    def ask(self, number: int) -> list[str]:
        """Status, the connection's port and the body."""
        _, text = self.shell.run(f"touch /tmp/ask.{number}; while [ ! -e /tmp/answer.{number} ]; do sleep 0.05; done; "
                                 f"cat /tmp/answer.{number}", PATIENCE)
        return text.split(" ", 2)

    def curl(self, url: str, options: str = "") -> str:
        return self.shell.run(f"{CURL} {options} {url}", PATIENCE)[1]

    def seen(self, path: str) -> list[str]:
        return [line for line in self.upstream.requests() if path in line]

    def test_a_session_follows_its_files_when_it_is_told_to(self):
        file = self.policy(rule("first", "allow", "api.demo.test"))
        self.shell = Shell(self.house, "--policy", file, "--name", "reloading", "--upstream-ca", str(self.upstream.ca))
        self.addCleanup(self.shell.close)
        self.shell.run(CLIENT)
        status, port, _ = self.ask(1)
        self.assertEqual(status, "200")
        # A file that is changed changes nothing, not for a gate that is started again either.
        self.policy(rule("gone", "deny", "api.demo.test"), rule("come", "allow", "other.demo.test"))
        self.kill("gatehouse-dns")
        self.assertIn("Could not resolve host", self.curl("https://other.demo.test/early"))

        with self.subTest("what the new policy says holds on a connection that is open"):
            done = self.reload()
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("generation 2 of the policy is in force", done.stdout)
            status, same, body = self.ask(2)
            self.assertEqual((status, same), ("403", port))
            self.assertEqual(json.loads(body)["rule"], "gone")
            self.assertEqual(self.seen("/asked/2"), [])
            self.assertIn("hello from other.demo.test/now", self.curl("https://other.demo.test/now"))
            (row,) = self.rows("reloading", table="policy_events", phase="reloaded")
            self.assertEqual(row["files"], [file])
            text = pathlib.Path(file).read_text()
            self.assertEqual(row["sha256"], hashlib.sha256(f"{len(text)}\n{text}".encode()).hexdigest())
            self.assertRegex(row["detail"], "^asked for by .+")

        with self.subTest("the scanner follows too"):
            self.assertIn("403", self.curl("https://other.demo.test/token", f"-d {TOKEN}"))
            self.policy(rule("gone", "deny", "api.demo.test"), rule("come", "allow", "other.demo.test"),
                        dlp={"exempt": [{"id": "known", "rule": "github-pat", "hosts": ["other.demo.test"]}]})
            self.assertEqual(self.reload().returncode, 0)
            self.assertIn("200", self.curl("https://other.demo.test/token", f"-d {TOKEN}"))

        for mistake, members, words in [
            ("a key that is not known", {"htpp": []}, f"{file}:1:"),
            ("a rule that the scanner does not have", {"dlp": {"deny": ["github-patt"]}}, "github-patt"),
            ("a secret whose value nobody has read", {"secrets": {"NEW": {"from": "env:NEW"}}}, "restart the session"),
        ]:
            with self.subTest(mistake):
                self.policy(rule("come", "deny", "other.demo.test"), **members)
                before = len(self.rows("reloading", table="policy_events", phase="reload-failed"))
                done = self.reload()
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(words, done.stderr)
                row = self.rows("reloading", table="policy_events", phase="reload-failed")[before]
                self.assertIn(words, row["detail"])
                self.assertRegex(row["detail"], r"policy\.json:1:\d+: ")
                self.assertIn("200", self.curl("https://other.demo.test/token", f"-d {TOKEN}"))

        with self.subTest("a gate that dies comes back with the new one"):
            for gate in ["gatehouse-proxy", "gatehouse-dns", "gatehouse-dlp"]:
                self.kill(gate)
            self.assertIn("200", self.curl("https://other.demo.test/token", f"-d {TOKEN}"))
            self.assertIn("Could not resolve host", self.curl("https://api.demo.test/late"))
            crashes = self.rows("reloading", table="process_events", phase="crash")
            self.assertEqual(sorted(row["process"] for row in crashes), ["dlp", "dns", "dns", "proxy"])
            verified = self.house.gatehouse("audit", "verify", "reloading")
            self.assertEqual(verified.returncode, 0, verified.stdout)

    def kill(self, gate: str) -> None:
        (old,) = self.house.pids("reloading", gate)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: self.house.pids("reloading", gate) not in ([], [old]), 10, f"{gate} again")


class ReloadAlone(unittest.TestCase):
    HOSTS = ["api.demo.test", "other.demo.test"]

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-reload-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.upstream = Upstream(self.directory / "upstream", self.HOSTS)
        self.addCleanup(self.upstream.close)

    def policy(self, *rules: dict) -> dict:
        return {"version": 1, "http": list(rules), "limits": {"host": {"requests": 3}},
                "resolve": {host: f"127.0.0.1:{self.upstream.tls}" for host in self.HOSTS}}

    def hang_up(self, gates: Gates, phase: str) -> list[dict]:
        before = len(gates.rows("policy_events", phase=phase))
        for gate in ["gatehouse-proxy", "gatehouse-dns"]:
            os.kill(gates.pid(gate), signal.SIGHUP)
        wait_until(lambda: len(gates.rows("policy_events", phase=phase)) == before + 2, 10, f"two rows of {phase}")
        return gates.rows("policy_events", phase=phase)[before:]

    def test_gates_that_stand_alone_read_their_files_at_sighup(self):
        gates = Gates(self.directory / "gates", self.policy(rule("first", "allow", self.HOSTS[0])), "--workers", "2",
                      "--upstream-ca", str(self.upstream.ca), dns=True)
        self.addCleanup(gates.close)
        stream = gates.dial_tls(gates.name(self.HOSTS[0]), 443, self.HOSTS[0])
        self.addCleanup(stream.close)

        def get(path: str) -> bytes:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.HOSTS[0]}\r\n\r\n".encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += stream.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            while len(body) < length:
                body += stream.recv(65536)
            return head + body

        self.assertIn(b" 200 ", get("/1"))
        gates.policy.write_text(json.dumps(self.policy(rule("gone", "deny", self.HOSTS[0]),
                                                       rule("come", "allow", self.HOSTS[1]))))
        for row in self.hang_up(gates, "reloaded"):
            self.assertEqual(row["detail"], "asked for by SIGHUP")
            self.assertEqual(json.loads(row["files"]), [str(gates.policy)])
        self.assertIn(b'"rule":"gone"', get("/2").replace(b'": "', b'":"'))
        self.assertTrue(gates.name(self.HOSTS[1]).startswith("198.18."))
        with self.assertRaises(LookupError):
            gates.name(self.HOSTS[0])

        gates.policy.write_text('{"version": 1,\n "bad": 1}')
        for row in self.hang_up(gates, "reload-failed"):
            self.assertIn(f"{gates.policy}:2:2: unknown key 'bad'", row["detail"])
        self.assertEqual(gates.curl(f"https://{self.HOSTS[1]}/")[0], 200)

        # What was counted stays counted: one of three was used before.
        gates.policy.write_text(json.dumps(self.policy(rule("back", "allow", self.HOSTS[0]))))
        self.hang_up(gates, "reloaded")
        self.assertIn(b" 200 ", get("/3"))
        self.assertIn(b" 200 ", get("/4"))
        self.assertIn(b" 429 ", get("/5"))
        self.assertEqual([row["rule_id"] for row in gates.rows(path="/5")], ["limit.host"])
