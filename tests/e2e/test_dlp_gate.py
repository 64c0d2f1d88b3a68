"""gatehouse-dlp as a process of its own: what it finds, what it makes of it, and what it cannot do any more."""

import base64
import contextlib
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from tests.support import policy_reader
from tests.support.house import BIN
from tests.support.scanner import CHECK, DATA, END, Asking, frame, hello, opened, part
from tests.support.upstream import wait_until

TOKEN = b"ghp_" + b"A" * 36
KNOWN = "a1b2c3d4e5f6g7h8i9j0"
POLICY = {"version": 1, "name": "dlp",
          "http": [{"id": "all", "action": "allow", "hosts": ["*.example.com"]}],
          "dlp": {"redact": ["stripe-live-key"], "warn": ["gitlab-pat"],
                  "exempt": [{"id": "docs", "rule": "github-pat", "hosts": ["docs.example.com"]}]}}


class Gate(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-dlp-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.policy = self.directory / "policy.json"
        self.policy.write_text(json.dumps(POLICY))
        self.secrets = self.directory / "secrets.json"
        self.secrets.touch(0o600)
        self.secrets.write_text(json.dumps({"secrets": [{"name": "PASSPHRASE", "value": KNOWN}]}))
        self.log = self.directory / "log"
        # Kept by the test as by a supervisor, so that it survives the scanner.
        self.path = str(self.directory / "dlp.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.addCleanup(self.listener.close)

    def start(self, *options: str) -> subprocess.Popen:
        number = self.listener.fileno()
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                ["sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&{number}', str(BIN / "gatehouse-dlp"),
                 "--policy", str(self.policy), "--session", "dlp", "--secrets", str(self.secrets),
                 "--cache", str(self.directory / "cache"), "--workers", "2", *options],
                pass_fds=(number,), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ask(self) -> Asking:
        asking = Asking(self.path)
        self.addCleanup(asking.close)
        return asking

    def test_a_verdict_names_rule_place_and_path(self):
        self.start()
        asking = self.ask()
        nothing = {"outcome": "allow", "findings": [], "redactions": []}
        self.assertEqual(asking.scan("api.example.com", part("path", b"/v1/models"), part("body", b"hello")), nothing)
        for placed, location, path, offset, length in [
            (part("body", b"a token " + TOKEN + b"."), "body", "", 8, 40),
            (part("path", b"/" + TOKEN), "path", "", 1, 40),
            (part("header:x-key", TOKEN), "header:x-key", "", 0, 40),
            (part("header-name:" + TOKEN.decode(), TOKEN), "header-name:ghp_...", "", 0, 40),
            (part("body", gzip.compress(b'{"key": "' + base64.b64encode(TOKEN) + b'"}'), "application/json", "gzip"), "body",
             "gzip>base64", 0, 0),
            (part("body", b"say " + base64.b64encode(b"a token " + TOKEN)), "body", "base64", 4, 0),
        ]:
            with self.subTest(location, path=path):
                verdict = asking.scan("api.example.com", part("header:accept", b"*/*"), placed)
                self.assertEqual(verdict["outcome"], "deny")
                finding, = verdict["findings"]
                self.assertEqual(
                    {key: finding[key] for key in ("rule", "category", "action", "part", "location", "path", "prefix")},
                    {"rule": "github-pat", "category": "credentials", "action": "deny", "part": 1, "location": location,
                     "path": path, "prefix": "ghp_"})
                self.assertEqual((finding["offset"], finding["length"]), (offset, length))
                self.assertRegex(finding["fingerprint"], "^[0-9a-f]{16}$")
        self.assertNotIn(TOKEN, self.log.read_bytes())

    def test_the_policy_says_what_becomes_of_it(self):
        self.start()
        asking = self.ask()
        stripe = b"sk_live_" + b"A" * 24
        for host, body, outcome, action, redactions in [
            ("docs.example.com", TOKEN, "allow", "exempt", []),
            ("api.example.com", TOKEN, "deny", "deny", []),
            ("api.example.com", b"glpat-" + b"A" * 20, "allow", "warn", []),
            ("api.example.com", b"key " + stripe + b" and " + stripe, "redact", "redact", [(0, 4, 32), (0, 41, 32)]),
            # Which is joined to the next string, and no more of a secret for that.
            ("api.example.com", b'{"key": "' + stripe + b'", "of": "x9Y8z7W6v5U4"}', "redact", "redact", [(0, 9, 32)]),
        ]:
            with self.subTest(host=host, body=body):
                verdict = asking.scan(host, part("body", body))
                self.assertEqual((verdict["outcome"], verdict["findings"][0]["action"], verdict["redactions"]),
                                 (outcome, action, redactions))
        self.assertEqual(asking.scan("docs.example.com", part("body", TOKEN))["findings"][0]["exemption"], "docs")
        encoded = asking.scan("api.example.com", part("body", base64.b64encode(stripe)))
        self.assertEqual(encoded["outcome"], "deny")
        self.assertIn("cannot be overwritten", encoded["findings"][0]["detail"])

    def test_the_command_explains_which_exemptions_there_are_and_where_they_hold(self):
        def explain(*question: str) -> list[str]:
            done = subprocess.run([BIN / "gatehouse", "policy", "explain", "--policy", self.policy, *question],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [" ".join(line.split()) for line in done.stdout.splitlines()]

        self.assertIn("dlp exempt docs github-pat at docs.example.com", explain())
        here, elsewhere = (explain(f"dlp github-pat {host}.example.com") for host in ("docs", "api"))
        self.assertEqual(here[1], "exempt by docs: exemption 'docs' of policy 'dlp'")
        self.assertTrue(elsewhere[1].startswith("deny: "), elsewhere)
        place = f"[{self.policy}:1]"
        self.assertIn(f"exempt docs names the rule and this host {place}", here)
        self.assertIn(f"exempt docs not this host {place}", elsewhere)

    def test_pieces_of_a_known_secret_that_leave_by_different_hosts_add_up(self):
        self.start()
        # Different connections, so most likely different workers.
        for i, (piece, outcome) in enumerate([(KNOWN[:10], "allow"), (KNOWN[10:], "deny")]):
            verdict = self.ask().scan(f"h{i}.example.com", part("query:q", piece.encode()), trace=f"trace-{i}")
            self.assertEqual((verdict["outcome"], verdict["findings"][0]["rule"]), (outcome, "secret-fragment"))
        self.assertIn("h0.example.com", verdict["findings"][0]["detail"])
        whole = self.ask().scan("api.example.com", part("body", b"x=" + KNOWN.encode()))
        self.assertEqual((whole["outcome"], whole["findings"][0]["rule"]), ("deny", "known-secret"))

    def test_pieces_that_leave_by_different_channels_add_up(self):
        self.start()
        first = self.ask().scan("api.example.com", part("query:q", KNOWN[:10].encode()), trace="by-https")
        self.assertEqual((first["outcome"], first["findings"][0]["rule"]), ("allow", "secret-fragment"))
        asking = self.ask()
        label = KNOWN[10:].encode() + b".x.example.net"
        asking.socket.sendall(opened("x.example.net", "dns", trace="by-dns") + part("name", label) + frame(END))
        second = asking.verdict()
        self.assertEqual((second["outcome"], second["findings"][0]["rule"]), ("deny", "secret-fragment"))
        self.assertIn("by-https", second["findings"][0]["detail"])

    def test_a_flow_of_small_random_values_to_one_destination_is_warned_of_once(self):
        self.start()
        asking = self.ask()
        told = []
        for i in range(400):
            value = base64.b64encode(hashlib.sha256(str(i).encode()).digest())[:20].replace(b"+", b"x").replace(b"/", b"y")
            verdict = asking.scan(f"h{i % 3}.example.org", part("query:q", value))
            self.assertEqual(verdict["outcome"], "allow")
            told += [(i, finding["rule"], finding["action"]) for finding in verdict["findings"]
                     if finding["category"] == "entropy"]
        self.assertEqual([(rule, action) for _, rule, action in told], [("entropy-exfiltration", "warn")])

    def test_a_stream_is_checked_while_it_goes_on(self):
        self.start()
        asking = self.ask()
        asking.socket.sendall(opened("api.example.com", inbound=True) + part("body", b"first"))
        for piece, outcome in [(b" second ", "allow"), (b" third ", "allow")]:
            asking.socket.sendall(frame(DATA, piece) + frame(CHECK))
            self.assertEqual(asking.verdict()["outcome"], outcome)
        asking.socket.sendall(frame(END))
        self.assertEqual(asking.verdict()["outcome"], "allow")

    def test_what_breaks_the_protocol_is_cut_off_and_the_others_are_served(self):
        self.start()
        other = self.ask()
        for sent in [b"GET / HTTP/1.1\r\n\r\n", hello(2), hello() + frame(DATA, b"x"), hello() + frame(END),
                     hello() + opened("h") + opened("h"), b"\xff\xff\xff\xff\x01", b"\0\0\0\0\0"]:
            with self.subTest(sent), socket.socket(socket.AF_UNIX) as stream:
                stream.settimeout(20)
                stream.connect(self.path)
                stream.sendall(sent)
                with contextlib.suppress(ConnectionResetError):
                    while stream.recv(65536):
                        pass
            self.assertEqual(other.scan("api.example.com", part("body", b"fine"))["outcome"], "allow")
        half = self.ask()
        half.socket.sendall(opened("api.example.com") + part("body", b"half a stream"))
        half.close()
        self.assertEqual(other.scan("api.example.com", part("body", b"fine"))["outcome"], "allow")

    def test_it_holds_nothing_but_sockets_and_can_get_nothing_else(self):
        scanner = self.start()
        asking = self.ask()
        for _ in range(100):
            asking.scan("api.example.com", part("body", TOKEN * 1000))
        proc = pathlib.Path(f"/proc/{scanner.pid}")
        status = (proc / "status").read_text()
        self.assertRegex(status, r"Seccomp:\s+2")
        self.assertRegex(status, r"NoNewPrivs:\s+1")
        self.assertRegex(status, r"CapAmb:\s+0+\n")
        held = {int(fd): os.readlink(proc / "fd" / fd) for fd in os.listdir(proc / "fd")}
        for number, what in held.items():
            if number > 2:
                self.assertRegex(what, r"^(socket|pipe):|^anon_inode:\[(eventpoll|eventfd|signalfd)\]$|^/dev/null$")
        # Of its sockets, all are Unix sockets that it was given or has accepted, but one.
        inodes = {match[1] for what in held.values() if (match := re.match(r"socket:\[(\d+)\]", what))}
        ours = {line.split()[6] for line in (proc / "net" / "unix").read_text().splitlines() if line.endswith(self.path)}
        policy_reader.check_is_all(self, scanner.pid, inodes - ours)
        resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])
        print(f"\ngatehouse-dlp, all rules, two workers: {resident / 1024:.1f} MiB resident", flush=True)
        self.assertLess(resident, 120 * 1024)

    def test_it_can_be_killed_and_started_again_on_its_socket(self):
        scanner = self.start()
        asking = self.ask()
        asking.socket.sendall(opened("api.example.com") + part("body", b"half"))
        os.kill(scanner.pid, signal.SIGKILL)
        scanner.wait()
        with self.assertRaises(EOFError):
            asking.receive()
        self.start()
        self.assertEqual(self.ask().scan("api.example.com", part("body", TOKEN))["outcome"], "deny")

    def test_it_ends_when_it_is_told_to(self):
        scanner = self.start()
        self.ask().scan("api.example.com", part("body", b"fine"))
        scanner.send_signal(signal.SIGTERM)
        self.assertEqual(scanner.wait(20), 0)

    def test_what_is_wrong_is_said(self):
        rules = self.directory / "rules"
        rules.mkdir()
        (rules / "bad.json").write_text('{"rules": [{"id": "empty"}]}')
        loose = self.directory / "loose.json"
        loose.write_text("{}")
        loose.chmod(0o644)
        unknown = self.directory / "unknown.json"
        unknown.write_text(json.dumps({**POLICY, "dlp": {"deny": ["no-such-rule"]}}))
        good = ["--policy", str(self.policy), "--session", "s", "--cache", "none"]
        for options, told in [
            ([], "--policy FILE is required"),
            (["--policy", "p"], "--session NAME is required"),
            ([*good, "--audit", "a"], "--audit a: the scanner writes no log"),
            ([*good, "--rules", "/nonexistent"], "/nonexistent"),
            ([*good, "--rules", str(rules)], "bad.json:1"),
            ([*good, "--secrets", str(loose)], "--secrets"),
            ([*good, "--secrets", "fd:99"], "--secrets"),
            (["--policy", str(unknown), "--session", "s", "--cache", "none"], "no-such-rule"),
            (good, "nothing to listen on"),
        ]:
            with self.subTest(told):
                ended = subprocess.run([BIN / "gatehouse-dlp", *options], capture_output=True, text=True)
                self.assertEqual(ended.returncode, 2)
                self.assertIn(told, ended.stderr)
        checked = subprocess.run([BIN / "gatehouse-dlp", *good, "--check-config"], capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))

    def test_secrets_come_by_a_pipe(self):
        read, write = os.pipe()
        os.write(write, json.dumps({"canaries": [{"name": "BAIT", "value": "bait-bait-0123456789"}]}).encode())
        os.close(write)
        self.addCleanup(os.close, read)
        path = str(self.directory / "own.sock")
        with open(self.log, "ab") as log:
            scanner = subprocess.Popen([BIN / "gatehouse-dlp", "--policy", str(self.policy), "--session", "dlp", "--secrets",
                                        f"fd:{read}", "--cache", "none", "--listen", f"unix:{path}"],
                                       pass_fds=(read,), stderr=log)
        self.addCleanup(scanner.wait)
        self.addCleanup(scanner.kill)
        wait_until(lambda: os.path.exists(path), 20, "gatehouse-dlp")
        asking = Asking(path)
        self.addCleanup(asking.close)
        self.assertEqual(asking.scan("api.example.com", part("body", b"bait-bait-0123456789"))["findings"][0]["rule"], "canary")


if __name__ == "__main__":
    unittest.main()
