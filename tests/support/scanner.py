"""Asks gatehouse-dlp as a gate does: common/dlp/protocol.h over a Unix socket."""

import json
import socket
import struct

HELLO, OPEN, PART, DATA, CHECK, END, VERDICT = range(1, 8)
OUTCOMES = ["allow", "redact", "deny"]
ACTIONS = ["exempt", "warn", "redact", "deny"]
CONFIDENCES = ["low", "medium", "high"]


def frame(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack("<IB", len(payload) + 1, kind) + payload


def text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<H", len(raw)) + raw


def hello(version: int = 1) -> bytes:
    return frame(HELLO, json.dumps({"version": version}).encode())


def opened(host: str, channel: str = "https", inbound: bool = False, trace: str = "trace") -> bytes:
    return frame(OPEN, text(channel) + bytes([inbound]) + text(host) + text(trace))


def part(location: str, data: bytes = b"", content_type: str = "", content_encoding: str = "") -> bytes:
    frames = frame(PART, text(location) + text(content_type) + text(content_encoding))
    return frames + b"".join(frame(DATA, data[at:at + 65536]) for at in range(0, len(data), 65536))


class _Reader:
    def __init__(self, payload: bytes):
        self.rest = payload

    def number(self, form: str) -> int:
        size = struct.calcsize("<" + form)
        value, self.rest = struct.unpack("<" + form, self.rest[:size])[0], self.rest[size:]
        return value

    def text(self) -> str:
        size = self.number("H")
        value, self.rest = self.rest[:size].decode(errors="replace"), self.rest[size:]
        return value


def read_verdict(payload: bytes) -> dict:
    reader = _Reader(payload)
    verdict = {"outcome": OUTCOMES[reader.number("B")], "findings": [], "redactions": []}
    findings, redactions = reader.number("H"), reader.number("H")
    for _ in range(findings):
        verdict["findings"].append({
            "rule": reader.text(), "category": reader.text(), "title": reader.text(),
            "severity": ACTIONS[reader.number("B")], "action": ACTIONS[reader.number("B")], "exemption": reader.text(),
            "confidence": CONFIDENCES[reader.number("B")], "part": reader.number("I"), "location": reader.text(),
            "path": reader.text(), "offset": reader.number("Q"), "length": reader.number("Q"), "prefix": reader.text(),
            "fingerprint": reader.text(), "detail": reader.text()})
    for _ in range(redactions):
        verdict["redactions"].append((reader.number("I"), reader.number("Q"), reader.number("Q")))
    assert not reader.rest
    return verdict


class Asking:
    """One connection, greeted."""

    def __init__(self, path: str):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.socket.sendall(hello())
        kind, payload = self.receive()
        assert (kind, json.loads(payload)) == (HELLO, {"version": 1})

    def receive(self) -> tuple[int, bytes]:
        """The next frame; EOFError when the scanner closes."""
        length, kind = struct.unpack("<IB", self._exactly(5))
        return kind, self._exactly(length - 1)

    def _exactly(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            try:
                more = self.socket.recv(size - len(got))
            except ConnectionResetError:
                more = b""
            if not more:
                raise EOFError
            got += more
        return got

    def verdict(self) -> dict:
        kind, payload = self.receive()
        assert kind == VERDICT, kind
        return read_verdict(payload)

    def scan(self, host: str, *parts: bytes, **stream) -> dict:
        """One stream from begin to end."""
        self.socket.sendall(opened(host, **stream) + b"".join(parts) + frame(END))
        return self.verdict()

    def close(self) -> None:
        self.socket.close()
