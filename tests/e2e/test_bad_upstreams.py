"""Upstreams that lie, stop, or never end: the guest is told or cut off, never fed what is not its answer, and the proxy
stays small."""

import pathlib
import shutil
import socket
import struct
import tempfile
import threading
import unittest

from tests.support.gates import Gates, ask
from tests.support.upstream import wait_until

HOST = "bad.demo.test"
MIB = 1 << 20
OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"  # what nobody asked for
RESET = object()

# Name, what the upstream sends (bytes, or RESET), the status and rule that the guest reads, None where the answer is cut
# off. What follows OTHER is nobody's.
CASES = [
    ("nothing at all", [], 502, "upstream.closed"),
    ("a reset", [RESET], 502, "upstream.closed"),
    ("half a head", [b"HTTP/1.1 200 OK\r\nContent-Le"], 502, "upstream.closed"),
    ("no HTTP", [b"220 mail.demo.test ESMTP\r\n"], 502, "upstream.malformed"),
    ("HTTP/0.9", [b"<html>\r\nhello</html>\r\n"], 502, "upstream.malformed"),
    ("HTTP/2 without being asked", [b"\0\0\0\4\0\0\0\0\0"], 502, "upstream.malformed"),
    ("a status of four digits", [b"HTTP/1.1 2000 OK\r\n\r\n"], 502, "upstream.malformed"),
    ("two lengths", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"], 502, "upstream.malformed"),
    ("a length and chunks", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], 502,
     "upstream.malformed"),
    ("a length with a sign", [b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"], 502, "upstream.malformed"),
    ("an endless length", [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello"], 502, "upstream.malformed"),
    ("a NUL in a field", [b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello"], 502, "upstream.malformed"),
    ("a bare CR in a field", [b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 5\r\n\r\nhello"], 502,
     "upstream.malformed"),
    ("a head that does not end", [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000], 502, "upstream.malformed"),
    ("one field that does not end", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * MIB], 502, "upstream.malformed"),
    ("an upgrade that nobody asked for", [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], 502,
     "upstream.upgrade"),
    ("a chunked answer with a bad chunk", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n"], 200,
     None),
    ("a chunk of 2^64 bytes", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nhello"], 200, None),
    ("a shorter body than it says", [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"], 200, None),
    ("a reset within the body", [b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", RESET], 200, None),
    ("chunks without an end", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"], 200, None),
]

# Name, method, what the upstream sends, the body that the guest gets: whatever follows it is not the next answer.
EXTRA = [
    ("more than it says", "GET", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" + OTHER, b"hello"),
    ("more after the last chunk", "GET",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + OTHER, b"hello"),
    ("a body with an answer to HEAD", "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n" + OTHER, b""),
    ("a body with 204", "GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 45\r\n\r\n" + OTHER, b""),
    ("a body with 304", "GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n" + OTHER, b""),
]


class Script:
    """A server whose answer to a request is told beforehand; with `stay`, the connection remains open after it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.steps: list = []
        self.stay = False
        self.connections: list[socket.socket] = []
        self.requests = 0
        self.sent = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            while self._play(connection) and self.stay:
                pass
        except OSError:
            pass
        connection.close()

    def _play(self, connection: socket.socket) -> bool:
        request = b""
        while b"\r\n\r\n" not in request:
            more = connection.recv(65536)
            if not more:
                return False
            request += more
        self.requests += 1
        for step in self.steps:
            if step is RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            for piece in step if not isinstance(step, bytes) else [step]:
                connection.sendall(piece)
                self.sent += len(piece)
        return True

    def play(self, *steps, stay: bool = False) -> None:
        self.steps, self.stay, self.requests, self.sent = list(steps), stay, 0, 0

    def close(self) -> None:
        self.listener.close()
        for connection in self.connections:
            connection.close()


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} http://{HOST}{path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


class BadUpstreamsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-bad-upstreams-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Script()
        cls.addClassCleanup(cls.upstream.close)
        cls.gates = Gates(cls.directory / "gates", {
            "http": [{"id": "bad", "action": "allow", "hosts": [HOST], "schemes": ["http"], "methods": ["GET", "HEAD"]}],
            "resolve": {HOST: f"127.0.0.1:{cls.upstream.port}"}})
        cls.addClassCleanup(cls.gates.close)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.gates.port), 10)

    def result(self, path: str) -> dict:
        """The row that tells how the request of this path ended."""
        trace = self.gates.rows(path=path)[-1]["trace_id"]
        wait_until(lambda: self.gates.rows("net_results", trace_id=trace), 10, f"the result of {path}")
        return self.gates.rows("net_results", trace_id=trace)[-1]

    def resident(self) -> int:
        status = pathlib.Path(f"/proc/{self.gates.pid('gatehouse-proxy')}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) << 10

    def test_what_is_no_proper_answer_is_told_or_cut_off(self):
        for number, (name, steps, status, rule) in enumerate(CASES):
            with self.subTest(name):
                self.upstream.play(*steps)
                with self.connect() as guest:
                    answer = ask(guest, get(f"/{number}"))
                    self.assertTrue(answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200])
                    result = self.result(f"/{number}")
                    self.assertNotEqual(result["error"], "")
                    if rule is not None:
                        self.assertIn(f"Gatehouse-Rule: {rule}\r\n".encode(), answer)
                        self.assertIn(rule, result["error"])
                    else:
                        self.assertFalse(answer.endswith(b"0\r\n\r\n"), "the guest must be able to tell")
                        self.assertEqual(guest.recv(1), b"")

    def test_what_comes_after_an_answer_is_nobodys(self):
        for number, (name, method, sent, body) in enumerate(EXTRA):
            with self.subTest(name):
                self.upstream.play(sent, stay=True)
                with self.connect() as guest:
                    guest.sendall(get(f"/extra/{number}", method))
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += guest.recv(1)
                    self.assertIn(head.split()[1], (b"200", b"204", b"304"))
                    self.upstream.play(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext", stay=True)
                    guest.sendall(get(f"/extra/{number}/next"))
                    rest = b""
                    while not rest.endswith(b"next"):
                        more = guest.recv(65536)
                        self.assertTrue(more, rest)
                        rest += more
                self.assertNotIn(b"other", rest)
                self.assertEqual(rest.count(b"HTTP/1.1 200 OK"), 1)
                if body:
                    self.assertIn(body, rest.partition(b"HTTP/1.1 200 OK")[0])
                self.assertEqual(self.upstream.requests, 1, "on a connection of its own")

    def test_an_answer_sent_before_it_was_asked_for_is_not_taken(self):
        self.upstream.play(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst", stay=True)
        with self.connect() as guest:
            self.assertTrue(ask(guest, get("/early")).endswith(b"first"))
            kept = self.upstream.connections[-1]
            kept.sendall(OTHER)
            # The proxy hangs up on it, and then the server does too.
            wait_until(lambda: kept.fileno() < 0, 20, "the end of the connection")
            self.upstream.play(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext", stay=True)
            self.assertTrue(ask(guest, get("/early/next")).endswith(b"next"))

    def test_a_flood_of_interim_answers_is_bounded(self):
        before = self.resident()
        self.upstream.play([b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000] * 2000)
        with self.connect() as guest:
            guest.sendall(get("/interim"))
            # Nobody reads here: so much and no more is taken from the upstream.
            wait_until(lambda: self.upstream.sent > 0, 10, "the first of it")
            self.settle()
        self.assertLess(self.resident() - before, 16 * MIB)

    def test_ten_gigabytes_are_not_taken_in_advance(self):
        before = self.resident()
        self.upstream.play([b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"] + [b"x" * MIB] * 10240)
        with self.connect() as guest:
            guest.sendall(get("/large"))
            taken = self.settle()
            self.assertLess(taken, 64 * MIB, "what sockets hold, and a little")
            self.assertLess(self.resident() - before, 16 * MIB)
            got = 0
            while got < 512 * MIB:
                got += len(guest.recv(MIB))
            self.assertLess(self.resident() - before, 16 * MIB)
        self.assertIn("the guest", self.result("/large")["error"])

    def settle(self) -> int:
        """Bytes the upstream could send until nothing moves any more."""
        last = [-1, 0]

        def still() -> bool:
            last[1] = last[1] + 1 if last[0] == self.upstream.sent else 0
            last[0] = self.upstream.sent
            return last[1] > 50
        wait_until(still, 30, "the upstream to be held back")
        return self.upstream.sent


if __name__ == "__main__":
    unittest.main()
