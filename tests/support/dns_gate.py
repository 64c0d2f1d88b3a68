"""gatehouse-dns run by hand on UDP, TCP and a Unix socket, and the questions to put to it."""

import contextlib
import json
import pathlib
import socket
import sqlite3
import struct
import subprocess

from tests.support.house import BIN
from tests.support.upstream import free_port

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "HTTPS": 65, "ANY": 255}
CLASSES = {"IN": 1, "CH": 3, "HS": 4, "NONE": 254, "ANY": 255}


def wire_name(name: str) -> bytes:
    """Labels from dotted text; "\\ddd" is a byte, as dig and kdig write it."""
    labels, label, rest = [], b"", name
    while rest:
        if rest[0] == "\\":
            label, rest = label + bytes([int(rest[1:4])]), rest[4:]
        elif rest[0] == ".":
            labels, label, rest = labels + [label], b"", rest[1:]
        else:
            label, rest = label + rest[0].encode("latin-1"), rest[1:]
    return b"".join(bytes([len(part)]) + part for part in labels + [label] if part) + b"\0"


def query(name: str, kind: int | str = 1, number: int = 1, flags: int = 0x100, klass: int = 1, additional: bytes = b"") -> bytes:
    kind = TYPES.get(kind) or int(kind[4:]) if isinstance(kind, str) else kind
    header = struct.pack(">6H", number, flags, 1, 0, 0, 1 if additional else 0)
    return header + wire_name(name) + struct.pack(">2H", kind, klass) + additional


def opt(size: int = 1232, version: int = 0, dnssec: bool = False, options: bytes = b"") -> bytes:
    return struct.pack(">BHHBBHH", 0, 41, size, 0, version, 0x8000 if dnssec else 0, len(options)) + options


def frame(message: bytes) -> bytes:
    return struct.pack(">H", len(message)) + message


class DnsGate:
    """`listener` is kept as by a supervisor, so that it survives the gate. close() ends what is left."""

    def __init__(self, directory: pathlib.Path, policy: dict):
        self.directory = directory
        (directory / "policy.json").write_text(json.dumps({"version": 1, "name": "dns", **policy}))
        self.audit = directory / "log" / "audit.db"
        self.audit.parent.mkdir()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(directory / "dns.sock"))
        self.listener.listen(64)
        self.port = free_port()
        self.processes: list[subprocess.Popen] = []

    def start(self, *options: str) -> subprocess.Popen:
        number = self.listener.fileno()
        process = subprocess.Popen(
            ["sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&{number}', str(BIN / "gatehouse-dns"),
             "--policy", str(self.directory / "policy.json"), "--audit", str(self.audit), "--session", "dns",
             "--listen", f"udp:127.0.0.1:{self.port}", "--listen", f"tcp:127.0.0.1:{self.port}", *options],
            pass_fds=(number,), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Ends the gate, which then writes what it still has to tell."""
        self.processes[-1].terminate()
        self.processes[-1].wait()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.listener.close()

    def connect(self) -> socket.socket:
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(20)
        stream.connect(str(self.directory / "dns.sock"))
        return stream

    def send(self, *messages: bytes) -> list[bytes]:
        """All at once over one stream; the replies in the order they came, up to the end of the stream."""
        with self.connect() as stream, contextlib.suppress(ConnectionError):
            stream.sendall(b"".join(frame(message) for message in messages))
            with stream.makefile("rb") as replies:
                heard = []
                while len(heard) < len(messages):
                    length = replies.read(2)
                    if len(length) < 2:
                        break
                    heard.append(replies.read(struct.unpack(">H", length)[0]))
                return heard
        return []

    def send_datagram(self, message: bytes) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(20)
            datagrams.connect(("127.0.0.1", self.port))
            datagrams.send(message)
            return datagrams.recv(65535)

    def ask(self, name: str, kind: int = 1) -> bytes:
        """One question over the Unix socket; b"" when the gate dies meanwhile."""
        return (self.send(query(name, kind)) or [b""])[0]

    def dig(self, *arguments: str) -> str:
        return subprocess.run(["dig", "@127.0.0.1", "-p", str(self.port), "+tries=1", "+time=10", *arguments],
                              capture_output=True, text=True).stdout

    def kdig(self, *arguments: str) -> str:
        return subprocess.run(["kdig", "@127.0.0.1", "-p", str(self.port), "+retry=0", "+time=10", *arguments],
                              capture_output=True, text=True).stdout

    def rows(self, columns: str, where: str = "true") -> list[tuple]:
        with contextlib.closing(sqlite3.connect(f"file:{self.audit}?mode=ro", uri=True)) as database:
            return database.execute(f"SELECT {columns} FROM dns_events WHERE {where} ORDER BY seq").fetchall()
