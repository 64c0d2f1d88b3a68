"""gatehouse-dns as a process of its own, without a guest: its walls, and what a crash leaves behind."""

import contextlib
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
from tests.support.dns_gate import DnsGate
from tests.support.house import BIN
from tests.support.upstream import wait_until

POLICY = {"http": [{"id": "ok", "action": "allow", "hosts": ["*.allowed.example"]}]}


class Gate(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-dns-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.gate = DnsGate(self.directory, POLICY)
        self.addCleanup(self.gate.close)
        self.start, self.ask = self.gate.start, self.gate.ask

    def test_ten_kills_lose_no_row_and_change_no_address(self):
        addresses: dict[str, bytes] = {}
        for turn in range(10):
            gate = self.start()
            for i in range(20):
                name = f"n{turn * 10 + i}.allowed.example"  # half of them new in each turn
                if i == 15:
                    os.kill(gate.pid, signal.SIGKILL)
                    gate.wait()
                    gate = self.start()
                address = self.ask(name)[-4:]
                self.assertEqual(len(address), 4, name)
                self.assertEqual(addresses.setdefault(name, address), address)
            os.kill(gate.pid, signal.SIGKILL)
            gate.wait()
        self.assertEqual(len(set(addresses.values())), len(addresses))
        logged = {(name, socket.inet_aton(address)) for name, address in self.gate.rows("name, address")}
        self.assertEqual(set(addresses.items()) - logged, set())

    def test_it_holds_no_socket_but_those_it_answers_on_and_makes_none(self):
        gate = self.start()
        self.assertTrue(self.ask("quiet.allowed.example"))
        # The connection of the question above is closed a moment after its answer.
        wait_until(lambda: len(self.foreign_sockets(gate.pid)) == 1, 5, "no socket but its own and its policy's")
        policy_reader.check_is_all(self, gate.pid, self.foreign_sockets(gate.pid))
        status = pathlib.Path(f"/proc/{gate.pid}/status").read_text()
        self.assertRegex(status, r"Seccomp:\s+2")
        self.assertRegex(status, r"NoNewPrivs:\s+1")

    def foreign_sockets(self, pid: int) -> set[str]:
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        inodes = {match[1] for link in links if (match := re.match(r"socket:\[(\d+)\]", link))}
        inet = {line.split()[9] for kind in ("udp", "tcp") for line in
                pathlib.Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]
                if line.split()[1].endswith(f":{self.gate.port:04X}")}
        unix = {line.split()[6] for line in pathlib.Path(f"/proc/{pid}/net/unix").read_text().splitlines()
                if line.endswith("dns.sock")}
        return inodes - inet - unix

    def test_no_row_names_a_domain_that_a_secret_was_registered_as(self):
        socket_path, secret = self.directory / "dlp.sock", "ghp_" + "A" * 36
        scanner = subprocess.Popen(
            [BIN / "gatehouse-dlp", "--policy", self.directory / "policy.json", "--session", "dns", "--listen",
             f"unix:{socket_path}", "--cache", self.directory / "cache"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(scanner.wait)
        self.addCleanup(scanner.kill)
        wait_until(socket_path.exists, 20, "the scanner")
        self.start("--dlp", f"unix:{socket_path}")
        for i in range(60):
            self.assertEqual(self.ask(f"{'%040x' % (i * 7 ** 44)}.{secret}.example")[3] & 15, 3)
        noticed = ("name", "rule_id = 'dns.exfiltration'")
        wait_until(lambda: self.gate.rows(*noticed), 20, "the row that says so")
        self.gate.stop()
        self.assertEqual({name for name, in self.gate.rows(*noticed)}, {"[...].example"})
        self.assertNotIn(secret.lower(), str(self.gate.rows("*")).lower())

    def test_what_is_missing_is_said(self):
        for options, told in [
            ([], "--policy FILE is required"),
            (["--policy", "p"], "--audit FILE is required"),
            (["--policy", "p", "--audit", "a"], "--session NAME is required"),
            (["--policy", "/nonexistent", "--audit", "a", "--session", "s"], "/nonexistent"),
            (["--policy", str(self.directory / "policy.json"), "--audit", "a", "--session", "s"], "nothing to listen on"),
        ]:
            with self.subTest(told):
                ended = subprocess.run([BIN / "gatehouse-dns", *options], capture_output=True, text=True)
                self.assertEqual(ended.returncode, 2)
                self.assertIn(told, ended.stderr)
        checked = subprocess.run([BIN / "gatehouse-dns", "--policy", self.directory / "policy.json", "--audit", "a",
                                  "--session", "s", "--check-config"], capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
