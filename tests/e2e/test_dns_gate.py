"""gatehouse-dns as a process of its own, without a guest: what dig makes of its answers, and what a crash leaves behind."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import unittest

from tests.support.house import BIN
from tests.support.upstream import wait_until

POLICY = {"version": 1, "name": "dns", "http": [{"id": "ok", "action": "allow", "hosts": ["*.allowed.example"]}]}


def query(name: str, kind: int = 1, number: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)


class Gate(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-dns-"))
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "policy.json").write_text(json.dumps(POLICY))
        self.audit = self.directory / "log" / "audit.db"
        self.audit.parent.mkdir()
        # Kept by the test as by a supervisor, so that it survives the gate.
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.directory / "dns.sock"))
        self.listener.listen(64)
        self.addCleanup(self.listener.close)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> subprocess.Popen:
        number = self.listener.fileno()
        process = subprocess.Popen(
            ["sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&{number}', str(BIN / "gatehouse-dns"),
             "--policy", str(self.directory / "policy.json"), "--audit", str(self.audit), "--session", "dns",
             "--listen", f"udp:127.0.0.1:{self.port}", "--listen", f"tcp:127.0.0.1:{self.port}"],
            pass_fds=(number,), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ask(self, name: str, kind: int = 1) -> bytes:
        """One question over the Unix socket; b"" when the gate dies meanwhile."""
        with socket.socket(socket.AF_UNIX) as stream, contextlib.suppress(ConnectionError):
            stream.settimeout(20)
            stream.connect(str(self.directory / "dns.sock"))
            message = query(name, kind)
            stream.sendall(struct.pack(">H", len(message)) + message)
            with stream.makefile("rb") as reply:
                length = reply.read(2)
                return reply.read(struct.unpack(">H", length)[0]) if len(length) == 2 else b""
        return b""

    def dig(self, *arguments: str) -> str:
        return subprocess.run(["dig", "@127.0.0.1", "-p", str(self.port), "+tries=1", "+time=10", *arguments],
                              capture_output=True, text=True).stdout

    def rows(self, columns: str) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(f"file:{self.audit}?mode=ro", uri=True)) as database:
            return database.execute(f"SELECT {columns} FROM dns_events ORDER BY seq").fetchall()

    def test_dig_understands_every_answer(self):
        self.start()
        self.assertTrue(self.ask("first.allowed.example"))
        for question, told in [
            ("first.allowed.example A", ["status: NOERROR", r"first\.allowed\.example\.\s+60\s+IN\s+A\s+198\.18\.0\.1\n"]),
            ("first.allowed.example A +tcp", ["status: NOERROR", r"198\.18\.0\.1\n"]),
            ("FiRsT.allowed.example A", [r"\nFiRsT\.allowed\.example\.\s+60\s+IN\s+A\s+198\.18\.0\.1\n"]),
            ("first.allowed.example A +noedns", ["status: NOERROR", "ADDITIONAL: 0"]),
            ("first.allowed.example AAAA", ["status: NOERROR", "ANSWER: 0", r"IN\s+SOA\s+gatehouse\.invalid\."]),
            ("first.allowed.example HTTPS", ["status: NOERROR", "ANSWER: 0", r"IN\s+SOA"]),
            ("first.allowed.example ANY", ["status: NOERROR", r'HINFO\s+"RFC8482" ""']),
            ("-x 198.18.0.1", ["status: NOERROR", r"IN\s+PTR\s+first\.allowed\.example\."]),
            ("-x 198.18.0.2", ["status: NXDOMAIN", "EDE: 15", "dns.reverse"]),
            ("evil.example A", ["status: NXDOMAIN", r"EDE: 15 \(Blocked\)", "default-deny", r"IN\s+SOA"]),
            ("evil.example TXT +noedns", ["status: NXDOMAIN", r"IN\s+SOA"]),
            ("version.bind TXT CH", ["status: REFUSED", r"EDE: 18 \(Prohibited\)"]),
            ("first.allowed.example A +edns=1 +noednsneg", ["status: BADVERS"]),
            ("first.allowed.example A +opcode=NOTIFY +noedns", ["status: NOTIMP"]),
            ("first.allowed.example A +dnssec +cookie", ["status: NOERROR", "flags: do"]),
        ]:
            with self.subTest(question):
                output = self.dig(*question.split())
                for pattern in told:
                    self.assertRegex(output, pattern)
                self.assertNotRegex(output, "malformed|WARNING|mismatch|extra bytes")

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
        logged = {(name, socket.inet_aton(address)) for name, address in self.rows("name, address")}
        self.assertEqual(set(addresses.items()) - logged, set())

    def test_it_holds_no_socket_but_those_it_answers_on_and_makes_none(self):
        gate = self.start()
        self.assertTrue(self.ask("quiet.allowed.example"))
        # The connection of the question above is closed a moment after its answer.
        wait_until(lambda: not self.foreign_sockets(gate.pid), 5, "no socket but its own")
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
                if line.split()[1].endswith(f":{self.port:04X}")}
        unix = {line.split()[6] for line in pathlib.Path(f"/proc/{pid}/net/unix").read_text().splitlines()
                if line.endswith("dns.sock")}
        return inodes - inet - unix

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
