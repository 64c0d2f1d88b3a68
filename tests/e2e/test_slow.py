"""Slow ones on both sides: a guest or an upstream that sends a little from time to time, or takes nothing, is given the
policy's time and no more; the row says whose fault it was, and by which rule."""

import pathlib
import select
import shutil
import socket
import tempfile
import unittest

from tests.e2e.test_bad_upstreams import Script, get
from tests.support.gates import Gates
from tests.support.upstream import wait_until

HOST = "bad.demo.test"
PACE = 0.1  # seconds from one piece to the next, far below every time that counts from the last byte
PATIENCE = 300  # pieces: whoever takes them all has no limit
MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"
# A block of HEADERS that is one long field.
FIELD = b"\x10\x01x\x7f\x85\x06" + b"a" * 900
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + len(FIELD).to_bytes(3) + b"\1\1\0\0\0\1"
# The record of a ClientHello, and the message, of which the rest is still to come.
HELLO = b"\x16\x03\x01\x02\0\x01\0\x01\xfc"


def drip(stream: socket.socket, begin: bytes, piece: bytes) -> bytes:
    """Sends `piece` again and again, until the other side has something to say; what it says, to its end."""
    stream.sendall(begin)
    for _ in range(PATIENCE):
        if select.select([stream], [], [], PACE)[0]:
            break
        stream.sendall(piece)
    else:
        raise AssertionError("it took all of it")
    said = b""
    try:
        while more := stream.recv(65536):
            said += more
    except ConnectionResetError:
        pass
    return said


class Slow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-slow-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Script()
        cls.addClassCleanup(cls.upstream.close)
        # To the whole of something; and from one byte to the next.
        cls.whole = cls.gates("whole", {name: "1s" for name in ("head_time", "handshake_time", "request_time", "first_byte_time")})
        cls.idle = cls.gates("idle", {"idle_time": "1s"})

    @classmethod
    def gates(cls, name: str, limits: dict) -> Gates:
        gates = Gates(cls.directory / name, {
            "http": [{"id": "bad", "action": "allow", "hosts": [HOST], "schemes": ["http", "https"]}],
            "limits": limits, "resolve": {HOST: f"127.0.0.1:{cls.upstream.port}"}}, dlp=True)
        cls.addClassCleanup(gates.close)
        return gates

    def setUp(self):
        self.upstream.play(OK + b"Content-Length: 5\r\n\r\nhello")
        self.connections = len(self.upstream.connections)

    def dial(self, gates: Gates, port: int = 80) -> socket.socket:
        stream = gates.dial("203.0.113.9", port)
        self.addCleanup(stream.close)
        return stream

    def denied(self, rows: int, rule: str, reason: str) -> dict:
        """One row more than there were, and the upstream has not been called."""
        wait_until(lambda: len(self.whole.rows()) > rows, 5, "the row")
        (row,) = self.whole.rows()[rows:]
        self.assertEqual((row["verdict"], row["rule_id"]), ("deny", rule))
        self.assertIn(reason, row["reason"])
        self.assertEqual(len(self.upstream.connections), self.connections)
        return row

    def ended(self, gates: Gates, path: str, *words: str) -> dict:
        """The row that tells how the one request of this path ended, which was allowed."""
        wait_until(lambda: gates.rows(path=path), 10, "the row")
        (event,) = gates.rows(path=path)
        self.assertEqual(event["verdict"], "allow")
        wait_until(lambda: gates.rows("net_results", event_id=event["event_id"]), 20, "the row of the result")
        (result,) = gates.rows("net_results", event_id=event["event_id"])
        for word in words:
            self.assertIn(word, result["error"])
        return result

    def test_a_guest_that_drips_its_handshake(self):
        rows = len(self.whole.rows())
        drip(self.dial(self.whole, 443), HELLO, b"\0")
        self.denied(rows, "tls.client-error", "the TLS handshake was not completed in time")

    def test_a_guest_that_drips_its_head(self):
        for name, begin, piece in [("a request line", b"GET /", b"x"), ("fields", b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
                                   ("HTTP/2", HTTP2 + FIELD[:6], b"a")]:
            with self.subTest(name):
                rows = len(self.whole.rows())
                said = drip(self.dial(self.whole), begin, piece)
                self.denied(rows, "http.timeout", "the request's head did not come in time")
                if name != "HTTP/2":
                    self.assertTrue(said.startswith(b"HTTP/1.1 408 "), said)
                    self.assertIn(b"Gatehouse-Rule: http.timeout\r\n", said)

    def test_a_guest_that_drips_its_body(self):
        for name, field, piece in [("of a length", b"Content-Length: 9999", b"x"),
                                   ("in chunks", b"Transfer-Encoding: chunked", b"1\r\nx\r\n"),
                                   ("chunk extensions", b"Transfer-Encoding: chunked", b"1;x\r\nx\r\n")]:
            with self.subTest(name):
                rows = len(self.whole.rows())
                begin = b"POST /body HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n" + field + b"\r\n\r\n"
                said = drip(self.dial(self.whole), begin, piece)
                self.assertTrue(said.startswith(b"HTTP/1.1 408 "), said)
                self.denied(rows, "http.timeout", "the request's body did not come in time")

    def test_a_guest_that_takes_no_answer(self):
        self.upstream.play([OK + b"Content-Length: %d\r\n\r\n" % (256 * MIB)] + [b"x" * MIB] * 256)
        stream = self.dial(self.idle)
        stream.sendall(get("/unread"))
        result = self.ended(self.idle, "/unread", "guest.timeout: the guest takes nothing")
        self.assertLess(result["bytes_in"], 64 * MIB)

    def test_an_upstream_that_drips_its_head(self):
        for name, begin, piece in [("a status line", b"HTTP/1.1 200 ", b"x"), ("fields", OK, b"X: y\r\n"),
                                   ("one interim answer after another", b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")]:
            with self.subTest(name):
                self.upstream.play(begin, self.pieces(piece))
                path = "/head/" + name.replace(" ", "-")
                stream = self.dial(self.whole)
                stream.sendall(get(path))
                said = b""
                while b"Gatehouse-Rule" not in said:
                    more = stream.recv(65536)
                    self.assertTrue(more, said)
                    said += more
                self.assertIn(b"HTTP/1.1 504 ", said)
                self.assertIn(b"Gatehouse-Rule: upstream.timeout\r\n", said)
                self.ended(self.whole, path, "upstream.timeout: the response did not begin in time")

    def test_an_upstream_that_stops_within_its_answer(self):
        self.upstream.play(OK + b"Content-Length: 50\r\n\r\nhello", stay=True)
        stream = self.dial(self.idle)
        stream.sendall(get("/stops"))
        said = b""
        try:
            while more := stream.recv(65536):
                said += more
        except ConnectionResetError:
            pass
        self.assertTrue(said.endswith(b"hello"), said)
        self.ended(self.idle, "/stops", "upstream.timeout: no byte has moved for too long")

    # A stream of events comes like this: it may take longer than any time that is said of one byte.
    def test_an_upstream_that_drips_its_body_is_passed_on_as_it_comes(self):
        self.upstream.play(OK + b"Content-Length: 20\r\n\r\n", self.pieces(b"x", 20))
        stream = self.dial(self.idle)
        stream.sendall(get("/drips"))
        got = []
        while sum(len(piece) for piece in got) < 20 or len(got) < 2:
            piece = stream.recv(65536).rpartition(b"\r\n\r\n")[2]
            got.append(piece)
        self.assertGreater(len(got), 10)
        self.assertEqual(self.ended(self.idle, "/drips")["error"], "")

    def test_an_upstream_that_takes_no_request(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            host = "silent.demo.test"
            gates = Gates(self.directory / "silent", {
                "http": [{"id": "bad", "action": "allow", "hosts": [host], "schemes": ["http"]}],
                "limits": {"idle_time": "1s"}, "resolve": {host: f"127.0.0.1:{silent.getsockname()[1]}"}}, dlp=True)
            self.addCleanup(gates.close)
            stream = self.dial(gates)
            stream.sendall(f"POST /up HTTP/1.1\r\nHost: {host}\r\nContent-Length: {24 * MIB}\r\n\r\n".encode() + b"x" * (24 * MIB))
            self.assertTrue(stream.recv(65536).startswith(b"HTTP/1.1 504 "))
            self.ended(gates, "/up", "upstream.timeout: no byte has moved for too long")

    def pieces(self, piece: bytes, count: int = PATIENCE):
        """Until the connection is at its end."""
        for _ in range(count):
            (connection,) = self.upstream.connections[-1:]
            if select.select([connection], [], [], PACE)[0]:
                return
            yield piece


if __name__ == "__main__":
    unittest.main()
