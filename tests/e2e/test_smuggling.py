"""Request smuggling, through the proxy to nginx, Apache and HAProxy: whatever a request looks like, an upstream sees
just those requests that were judged. A table of mutations, each carrying one more request that the policy denies."""

import pathlib
import shutil
import socket
import tempfile
import unittest

from tests.support.gates import Gates, ask
from tests.support.servers import KINDS, Server
from tests.support.upstream import wait_until

INNER = b"GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"


def post(fields: bytes, body: bytes, line: bytes = b"POST /open/N HTTP/1.1") -> bytes:
    return line + b"\r\nHost: HOST\r\n" + fields + b"\r\n\r\n" + body


def lengths() -> dict[str, bytes]:
    """Content-Lengths that two readers may take for two numbers; the body is the inner request, or its beginning."""
    size = b"%d" % len(INNER)
    values = [b"+" + size, b"-0", b"0x0", b"00", b"0 ", b" 0", b"\t0", b"0\t", b"0, " + size, size + b", 0", b"0," + size,
              b"0;", b"0_0", b"0.0", b"0e0", b'"0"', b"", b" ", b"\x0b0", b"0\x0b", b"\xa00", b"0\x00", b"0\x00" + size,
              b"18446744073709551616", b"18446744073709551615", b"99999999999999999999999", b"4294967296", b"0\r0",
              b"0\r\n " + size, b"\r\n 0"]
    cases = {f"Content-Length {value!r}": post(b"Content-Length: " + value, INNER) for value in values}
    pairs = [(b"0", size), (size, b"0"), (b"0", b"0"), (size, size), (b"0", b"0x" + size)]
    for one, other in pairs:
        cases[f"two Content-Lengths {one!r} {other!r}"] = post(
            b"Content-Length: " + one + b"\r\nContent-Length: " + other, INNER)
    for name in (b"Content-Length ", b"Content-Length\t", b" Content-Length", b"Content_Length", b"Content-Length\x00",
                 b"Content-Length\x0b", b"\x0bContent-Length", b"Content-Length\r", b"Content-\nLength", b"ContentLength",
                 b"content-length\xad", b"Content\xe2\x80\x90Length"):
        cases[f"name {name!r}"] = post(name + b": " + size, INNER)
        cases[f"Content-Length 0, name {name!r}"] = post(b"Content-Length: 0\r\n" + name + b": " + size, INNER)
        cases[f"chunked, name {name!r}"] = post(CHUNKED + b"\r\n" + name + b": " + size, b"0\r\n\r\n" + INNER)
    for method in (b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"TRACE", b"PATCH"):
        cases[f"{method.decode()} with a body"] = post(b"Content-Length: " + size, INNER, method + b" /open/N HTTP/1.1")
        cases[f"{method.decode()} without a length"] = post(b"X: y", INNER, method + b" /open/N HTTP/1.1")
        cases[f"{method.decode()}, chunked"] = post(CHUNKED, b"0\r\n\r\n" + INNER, method + b" /open/N HTTP/1.1")
    return cases


def encodings() -> dict[str, bytes]:
    """Transfer-Encodings that one reader sees and another does not, with a Content-Length for the other."""
    fields = [
        CHUNKED, b"Transfer-Encoding:chunked", b"Transfer-Encoding:  chunked", b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked", b" Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked ", b"Transfer-Encoding: chunked\t", b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding: \x0cchunked", b"Transfer-Encoding: chunked\x0b", b"Transfer-Encoding: chunked\x00",
        b"Transfer-Encoding\x00: chunked", b"Transfer-Encoding: \x00chunked", b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: CHUNKED", b"TRANSFER-ENCODING: chunked",
        b"transfer-encoding: cHuNkEd", b"Transfer-Encoding: chun\r\n ked", b"Transfer-Encoding:\r\n chunked",
        b"Transfer-Encoding:\n chunked", b"Transfer-Encoding: chunked\n", b"Transfer-Encoding: identity",
        b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,",
        b"Transfer-Encoding: chunked;q=1", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: 'chunked'",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"Transfer-Encoding: identity\r\n" + CHUNKED,
        b"Transfer-Encoding: x\r\n" + CHUNKED, CHUNKED + b"\r\nTransfer-Encoding: x", CHUNKED + b"\r\n" + CHUNKED,
        b"Transfer-Encoding:\r\n" + CHUNKED, b"Transfer_Encoding: chunked", b"TransferEncoding: chunked",
        b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"X: y\r\n Transfer-Encoding: chunked",
        b"X: y\r\r\nTransfer-Encoding: chunked", b"X: y\x00\r\nTransfer-Encoding: chunked", b"\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding", b"Connection: Content-Length\r\n" + CHUNKED,
        b"Transfer-Encoding: chu\xefnked", b"Transfer-Encoding\xa0: chunked", b"Transfer-Encoding:\xa0chunked",
        b"Transfer-Encoding: c\x68unked\x7f", b"TE: chunked", b"Content-Encoding: chunked", b"X-Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAAA",
    ]
    body = b"0\r\n\r\n" + INNER
    size = b"%d" % len(body)
    cases = {}
    for field in fields:
        cases[f"{field!r}"] = post(field, body)
        cases[f"{field!r} after a length"] = post(b"Content-Length: " + size + b"\r\n" + field, body)
        cases[f"{field!r} before a length"] = post(field + b"\r\nContent-Length: " + size, body)
        cases[f"{field!r} in HTTP/1.0"] = post(field + b"\r\nConnection: keep-alive", body, b"POST /open/N HTTP/1.0")
        cases[f"{field!r} hiding it from a length of 4"] = post(
            b"Content-Length: 4\r\n" + field, b"%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n")
    return cases


def chunks() -> dict[str, bytes]:
    """Chunk lines that two readers may end in two places."""
    inner = INNER
    size = b"%x" % len(inner)
    lines = [b"0", b"0;x", b"0;x=y", b"0 ;x", b"0; x", b'0;x="\r\n"', b'0;x="a;b"', b"0\t", b"0 ", b" 0", b"+0", b"-0", b"0x0",
             b"00000000000000000000", b"0\x00", b"0\x0b", b"0,", b"0_", b"", b"g", b"\xef\xbc\x90", b"0;\x00", b"0;\x0b",
             b"0;x\ny", b"0;x\ry", b"0\n", b"0\r", b"10000000000000000", b"100000000", b"fffffffffffffffff", b"0;" + b"x" * 20000]
    cases = {}
    for line in lines:
        cases[f"last chunk {line[:40]!r}"] = post(CHUNKED, line + b"\r\n\r\n" + inner)
        cases[f"last chunk {line[:40]!r}, bare LF"] = post(CHUNKED, line + b"\n\n" + inner)
    for end in (b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"", b"XX", b"\r\nX"):
        cases[f"chunk data ended by {end!r}"] = post(CHUNKED, b"1\r\nA" + end + b"0\r\n\r\n" + inner)
        cases[f"chunk line ended by {end!r}"] = post(CHUNKED, b"1" + end + b"A\r\n0\r\n\r\n" + inner)
        cases[f"last chunk ended by {end!r}"] = post(CHUNKED, b"0\r\n" + end + inner)
        cases[f"in an extension after {end!r}"] = post(CHUNKED, size + b";" + end + inner + b"\r\n0\r\n\r\n")
    for trailer in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: other.demo.test", b"X: y\nZ: w", b" folded",
                    b"GET /smuggled HTTP/1.1", b"X : y", b"Content-Length: 0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: HOST"):
        cases[f"trailer {trailer!r}"] = post(CHUNKED, b"1\r\nA\r\n0\r\n" + trailer + b"\r\n\r\n" + inner)
    return cases


def heads() -> dict[str, bytes]:
    """Request lines and heads that two readers may cut in two ways, and expectations that change who waits."""
    size = b"%d" % len(INNER)
    lines = [
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\n\r\n" + INNER, b"GET /open/N HTTP/1.1\nHost: HOST\n\n" + INNER,
        b"GET /open/N HTTP/1.1\r\nHost: HOST\n\r\n" + INNER, b"GET /open/N HTTP/1.1\r\nHost: HOST\r\n\n" + INNER,
        b"GET /open/N HTTP/1.1\rHost: HOST\r\r" + INNER, b"GET /open/N\r\n\r\n" + INNER, b"GET /open/N \r\n\r\n" + INNER,
        b"GET  /open/N HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET /open/N  HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET\t/open/N HTTP/1.1\r\nHost: HOST\r\n\r\n", b" GET /open/N HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"\r\n\r\nGET /open/N HTTP/1.1\r\nHost: HOST\r\n\r\n", b"\n GET /open/N HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /open/N HTTP/1.1 HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET /open/N HTTP/1.1 \r\nHost: HOST\r\n\r\n",
        b"GET /open/N HTTP/1.2\r\nHost: HOST\r\n\r\n" + INNER, b"GET /open/N HTTP/2.0\r\nHost: HOST\r\n\r\n" + INNER,
        b"GET /open/N HTTP/0.9\r\n\r\n" + INNER, b"GET /open/N http/1.1\r\nHost: HOST\r\n\r\n",
        b"get /open/N HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET /open/N\x00 HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /open/N\x0b/../../smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET /open/../smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /open/%2e%2e/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET /open/..%2fsmuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /open\\..\\smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET //smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /open/;/../smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET /open/..;/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET http://other.demo.test/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET http://HOST/open/N HTTP/1.1\r\nHost: other.demo.test\r\n\r\n", b"GET @other/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET http://HOST@other.demo.test/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n", b"GET ?/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nHost: other.demo.test\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\n Host: other.demo.test\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost : HOST\r\nHost: other.demo.test\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST, other.demo.test\r\n\r\n", b"GET /open/N HTTP/1.1\r\n\r\n" + INNER,
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nX-Original-URL: /smuggled\r\nX-Rewrite-URL: /smuggled\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nX-HTTP-Method-Override: PUT\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\n: empty\r\n\r\n", b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nno colon\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nX: a\x00b\r\n\r\n", b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nX: a\rb\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nX: a\r\n\tGET /smuggled HTTP/1.1\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nConnection: Host\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
        b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n", b"CONNECT /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAAA\r\n\r\n",
        b"GET /open/N HTTP/1.1\r\nHost: HOST\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 777\r\n\r\n",
    ]
    cases = {f"{line[:90]!r}": line for line in lines}
    for expectation in (b"100-continue", b"100-Continue", b"y 100-continue", b"100-continue, x", b"", b"200-ok"):
        expect = b"Expect: " + expectation + b"\r\n"
        cases[f"Expect {expectation!r} with a length"] = post(expect + b"Content-Length: " + size, INNER)
        cases[f"Expect {expectation!r} with a length of 0"] = post(expect + b"Content-Length: 0", INNER)
        cases[f"Expect {expectation!r}, chunked"] = post(expect + CHUNKED, b"0\r\n\r\n" + INNER)
        cases[f"Expect {expectation!r}, GET"] = post(expect + b"Content-Length: " + size, INNER, b"GET /open/N HTTP/1.1")
    return cases


class SmugglingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-smuggling-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.directory.chmod(0o755)
        cls.servers = {}
        for kind in KINDS:
            cls.servers[kind] = Server(kind, cls.directory / kind)
            cls.addClassCleanup(cls.servers[kind].close)
        hosts = [f"{kind}.demo.test" for kind in KINDS]
        cls.gates = Gates(cls.directory / "gates", {
            "http": [{"id": "open", "action": "allow", "hosts": hosts, "schemes": ["http"], "paths": ["/open/**"],
                      "methods": ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "PATCH", "TRACE"]}],
            "resolve": {f"{kind}.demo.test": f"127.0.0.1:{server.port}" for kind, server in cls.servers.items()},
        }, dns=True)
        cls.addClassCleanup(cls.gates.close)

    def send(self, address: str, raw: bytes) -> None:
        """As one connection sends it, to its end."""
        with self.gates.dial(address, 80) as stream:
            try:
                stream.sendall(raw)
                stream.shutdown(socket.SHUT_WR)
                while stream.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass

    def check(self, kind: str, cases: dict[str, bytes]) -> None:
        server, host = self.servers[kind], f"{kind}.demo.test"
        address = self.gates.name(host)
        seen, rows = len(server.log_lines()), len(self.gates.rows())
        for number, (name, raw) in enumerate(cases.items()):
            with self.subTest(f"{kind}: {name}"):
                before = len(self.gates.rows())
                # Twice, so that the second rides on the connection that the first may have poisoned.
                for _ in range(2):
                    self.send(address, raw.replace(b"HOST", host.encode()).replace(b"/N", b"/%d" % number))
                with self.gates.dial(address, 80) as stream:
                    answer = ask(stream, f"GET /open/after-{number} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:300])
                self.assertGreaterEqual(len(self.gates.rows()), before + 3, "every connection leaves a row")
        judged = self.gates.rows()[rows:]
        allowed = sorted(f"{row['method']} {row['path']}" for row in judged if row["verdict"] == "allow")
        # An upstream logs what was cut off when it notices.
        wait_until(lambda: len(server.log_lines()) - seen >= len(allowed), 10, f"the log of {kind}")
        arrived = sorted(" ".join(line.split(" ")[:2]) for line in server.log_lines()[seen:])
        self.assertEqual(arrived, allowed)
        self.assertNotIn("/smuggled", str(arrived))
        # The table is worth something only if it has both.
        self.assertGreater(len(allowed), len(cases), "some of it is harmless")
        self.assertTrue(any(row["rule_id"].startswith("http.") for row in judged), "some of it is no HTTP")

    def test_lengths(self):
        for kind in KINDS:
            self.check(kind, lengths())

    def test_transfer_encodings(self):
        for kind in KINDS:
            self.check(kind, encodings())

    def test_chunks(self):
        for kind in KINDS:
            self.check(kind, chunks())

    def test_heads(self):
        for kind in KINDS:
            self.check(kind, heads())


if __name__ == "__main__":
    unittest.main()
