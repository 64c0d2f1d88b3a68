"""gatehouse-proxy run by hand, in front of a real TLS upstream: what is let through, what is refused and how it is told."""

import hashlib
import http.server
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from tests.support.gates import Gates, ask, proxy_v2
from tests.support.upstream import Upstream, free_port, openssl, wait_until

NAMES = ["api.demo.test", "other.demo.test"]


class Counter(http.server.BaseHTTPRequestHandler):
    """Reads each body to its end and answers with how long it was and its digest."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        digest, size = hashlib.sha256(), 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while length := int(self.rfile.readline(), 16):
                digest.update(self.rfile.read(length))
                size += length
                self.rfile.readline()
            self.rfile.readline()
        else:
            size = int(self.headers["Content-Length"])
            digest.update(self.rfile.read(size))
        answer = f"{size} {digest.hexdigest()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def policy(upstream: Upstream, counter: int = 9) -> dict:
    return {
        "http": [
            {"id": "api", "action": "allow", "hosts": ["api.demo.test", "wrong.demo.test", "closed.demo.test"]},
            {"id": "other", "action": "allow", "hosts": ["other.demo.test"], "paths": ["/open/**"]},
            {"id": "plain", "action": "allow", "hosts": ["plain.demo.test"], "schemes": ["http"]},
            {"id": "asked", "action": "ask", "hosts": ["api.demo.test"], "paths": ["/asked"]},
            {"id": "local", "action": "allow", "hosts": ["localtest.example.com"], "schemes": ["http"],
             "ports": [upstream.plain]},
            {"id": "counter", "action": "allow", "hosts": ["counter.demo.test"], "schemes": ["http"]},
        ],
        "resolve": {**{name: f"127.0.0.1:{upstream.tls}" for name in NAMES},
                    "wrong.demo.test": f"127.0.0.1:{upstream.tls}",
                    "closed.demo.test": f"127.0.0.1:{free_port()}",
                    "plain.demo.test": f"127.0.0.1:{upstream.plain}",
                    "counter.demo.test": f"127.0.0.1:{counter}"},
    }


class ProxyTest(unittest.TestCase):
    DNS = False

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-proxy-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Upstream(cls.directory / "upstream", NAMES)
        cls.addClassCleanup(cls.upstream.close)
        counter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counter)
        cls.addClassCleanup(counter.server_close)
        cls.addClassCleanup(counter.shutdown)
        threading.Thread(target=counter.serve_forever, daemon=True).start()
        cls.gates = Gates(cls.directory / "gates", policy(cls.upstream, counter.server_port), "--upstream-ca", str(cls.upstream.ca),
                          dns=cls.DNS)
        cls.addClassCleanup(cls.gates.close)

    def refused(self, answer: bytes | str, status: int, rule: str, **row) -> dict:
        """The answer says so, one new row says so, and the upstream has seen nothing."""
        text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
        self.assertIn(f'"status": {status}', text)
        self.assertIn(f'"rule": "{rule}"', text)
        rows = self.gates.rows(rule_id=rule, verdict="deny", **row)
        self.assertTrue(rows, self.gates.rows()[-3:])
        self.assertIn(rows[-1]["event_id"], text)
        return rows[-1]

    def setUp(self):
        self.seen = len(self.upstream.requests())

    def nothing_reached_the_upstream(self):
        self.assertEqual(len(self.upstream.requests()), self.seen)


class Explicit(ProxyTest):
    def test_an_allowed_request_is_answered_by_the_upstream_and_has_two_rows(self):
        status, body = self.gates.curl("https://api.demo.test/v1/x?token=hidden")
        self.assertEqual((status, body.strip()), (200, "hello from api.demo.test/v1/x"))
        row = self.gates.rows(path="/v1/x", verdict="allow", rule_id="api", channel="https", sni="api.demo.test")[-1]
        wait_until(lambda: self.gates.rows("net_results", trace_id=row["trace_id"]), 5, "the result row")
        result = self.gates.rows("net_results", trace_id=row["trace_id"])[0]
        self.assertEqual((result["status"], result["error"]), (200, ""))
        self.assertNotIn("hidden", str(self.gates.rows()))

    def test_plain_http_goes_by_the_absolute_url(self):
        self.assertEqual(self.gates.curl("http://plain.demo.test/v1/y")[0], 200)
        self.assertTrue(self.gates.rows(host="plain.demo.test", channel="http", verdict="allow"))

    def test_a_body_arrives_whole_both_ways(self):
        blob = self.upstream.directory / "files" / "blob"
        blob.write_bytes(os.urandom(5 << 20))
        fetched = self.directory / "fetched"
        self.gates.curl("https://api.demo.test/files/blob", "-o", str(fetched))
        self.assertEqual(hashlib.sha256(fetched.read_bytes()).digest(), hashlib.sha256(blob.read_bytes()).digest())
        whole = f"{5 << 20} {hashlib.sha256(blob.read_bytes()).hexdigest()}"
        for extra in [[], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect:"]]:
            status, body = self.gates.curl("http://counter.demo.test/", "--data-binary", f"@{blob}", *extra)
            self.assertEqual((status, body), (200, whole))
        wait_until(lambda: len(self.gates.rows("net_results", bytes_out=5 << 20)) == 3, 5, "the result rows")

    def test_an_answer_that_comes_before_the_whole_request_is_relayed(self):
        body = self.directory / "body"
        body.write_bytes(b"x" * 3_000_000)
        # (In HTTP/2, curl 7.88 waits for ever after such an answer, also without a proxy between.)
        status, body = self.gates.curl("https://api.demo.test/created", "--http1.1", "--data-binary", f"@{body}")
        self.assertEqual((status, body.strip()), (201, "created"))
        # nginx logs it once it has done with the rest of the body.
        wait_until(lambda: len(self.upstream.requests()) > self.seen, 20, "the upstream's own log")

    def test_what_no_rule_allows_never_leaves(self):
        status, body = self.gates.curl("https://evil.example.com/steal")
        self.assertEqual(status, 403)
        self.refused(body, 403, "default-deny", host="evil.example.com")
        status, body = self.gates.curl("https://other.demo.test/shut", "-d", "x" * 100000)
        self.refused(body, 403, "default-deny", host="other.demo.test", path="/shut")
        self.nothing_reached_the_upstream()

    def test_a_verdict_of_ask_is_a_denial_with_its_rule(self):
        _, body = self.gates.curl("https://api.demo.test/asked")
        self.refused(body, 403, "asked")
        self.assertIn("approval", body)
        self.nothing_reached_the_upstream()

    def test_names_that_do_not_agree_are_refused_with_all_of_them(self):
        _, body = self.gates.curl("https://api.demo.test/", "-H", "Host: other.demo.test")
        row = self.refused(body, 421, "name.mismatch", sni="api.demo.test")  # in HTTP/2
        self.assertIn("other.demo.test", row["reason"])
        _, body = self.gates.curl("https://api.demo.test/", "--http1.1", "-H", "Host: other.demo.test")
        self.refused(body, 403, "name.mismatch", sni="api.demo.test")
        _, body = self.gates.curl("https://other.demo.test/open/x", "-k", "--connect-to",
                                  "other.demo.test:443:api.demo.test:443")
        self.refused(body, 403, "name.mismatch", sni="other.demo.test")
        self.nothing_reached_the_upstream()

    def test_a_private_address_is_refused_after_the_look_up_with_a_row_of_its_own(self):
        hosts = pathlib.Path("/etc/hosts")
        if not os.access(hosts, os.W_OK):
            self.skipTest("cannot write /etc/hosts")
        before = hosts.read_text()
        self.addCleanup(hosts.write_text, before)
        hosts.write_text(before + "\n127.0.0.1 localtest.example.com\n")
        connections = self.upstream.connections()
        _, body = self.gates.curl(f"http://localtest.example.com:{self.upstream.plain}/")
        row = self.refused(body, 403, "address.loopback", host="localtest.example.com")
        allowed = self.gates.rows(trace_id=row["trace_id"], verdict="allow")
        self.assertEqual(len(allowed), 1)
        self.assertEqual(self.upstream.connections(), connections)

    def test_an_upstream_that_cannot_be_verified_gets_no_request(self):
        status, body = self.gates.curl("https://wrong.demo.test/")
        self.assertEqual(status, 502)
        self.assertIn("hostname mismatch", body)
        self.nothing_reached_the_upstream()

    def test_an_upstream_that_is_not_there_is_a_502(self):
        status, body = self.gates.curl("https://closed.demo.test/")
        self.assertEqual(status, 502)
        self.assertIn("upstream.connect", body)
        self.assertIn("Connection refused", body)

    def test_a_websocket_is_refused_in_words(self):
        _, body = self.gates.curl("https://api.demo.test/ws", "-H", "Upgrade: websocket", "-H", "Connection: Upgrade",
                                  "--http1.1")
        self.refused(body, 403, "protocol.upgrade")
        self.nothing_reached_the_upstream()

    def test_malformed_requests_are_told_what_is_wrong(self):
        head = b"GET http://plain.demo.test/ HTTP/1.1\r\nHost: plain.demo.test\r\n"
        for raw, status, rule in [
            (head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "http."),
            (head + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400, "http."),
            (head.replace(b"\r\n", b"\n") + b"\n", 400, "http."),
            (head + b"X: " + b"a" * 65536 + b"\r\n\r\n", 431, "http."),
            (b"GET / HTTP/1.1\r\nHost: plain.demo.test\r\n\r\n", 403, "protocol.form"),
        ]:
            with self.subTest(raw[:120]), socket.create_connection(("127.0.0.1", self.gates.port), 20) as stream:
                answer = ask(stream, raw)
                self.assertIn(f"HTTP/1.1 {status}".encode(), answer)
                self.assertTrue(self.gates.rows()[-1]["rule_id"].startswith(rule), self.gates.rows()[-1])
        self.nothing_reached_the_upstream()

    def test_one_connection_serves_denied_and_allowed_requests_in_turn(self):
        with socket.create_connection(("127.0.0.1", self.gates.port), 20) as stream:
            for path, status in [("/a", b"200"), ("/b", b"200")] * 3:
                answer = ask(stream, f"GET http://plain.demo.test{path} HTTP/1.1\r\nHost: plain.demo.test\r\n\r\n".encode())
                self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer)
                answer = ask(stream, b"GET http://evil.example.com/ HTTP/1.1\r\nHost: evil.example.com\r\n\r\n")
                self.assertTrue(answer.startswith(b"HTTP/1.1 403"), answer)

    def test_pipelined_requests_are_answered_in_order(self):
        request = "GET http://plain.demo.test/{} HTTP/1.1\r\nHost: plain.demo.test\r\n\r\n"
        last = "GET http://plain.demo.test/4 HTTP/1.1\r\nHost: plain.demo.test\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.gates.port), 20) as stream:
            stream.sendall("".join(request.format(i) for i in range(4)).encode() + last.encode())
            answer = b""
            while more := stream.recv(65536):
                answer += more
        self.assertEqual([answer.find(f"plain.demo.test/{i}".encode()) > 0 for i in range(5)], [True] * 5)
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 5)

    def test_a_restart_with_a_ca_brought_along_keeps_the_trust(self):
        at = self.directory
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=mine", "-keyout", f"{at}/own.key", "-out", f"{at}/own.crt", "-addext",
                "keyUsage=critical,keyCertSign")
        (at / "own.pem").write_text((at / "own.crt").read_text() + (at / "own.key").read_text())
        gates = Gates(at / "own", policy(self.upstream), "--upstream-ca", str(self.upstream.ca), "--ca",
                      f"{at}/own.pem")
        self.addCleanup(gates.close)
        self.assertEqual(gates.curl("https://api.demo.test/v1/x", "--cacert", f"{at}/own.crt")[0], 200)
        os.kill(gates.pid("gatehouse-proxy"), signal.SIGKILL)
        gates.processes["gatehouse-proxy"].wait()
        gates.start_proxy()
        self.assertEqual(gates.curl("https://api.demo.test/v1/x", "--cacert", f"{at}/own.crt")[0], 200)

    def test_descriptors_come_back_after_a_crowd(self):
        def descriptors() -> int:
            return len(os.listdir(f"/proc/{self.gates.pid('gatehouse-proxy')}/fd"))
        before = descriptors()
        held = [socket.create_connection(("127.0.0.1", self.gates.port)) for _ in range(300)]
        self.assertEqual(self.gates.curl("https://api.demo.test/crowded")[0], 200)
        for stream in held:
            stream.close()
        wait_until(lambda: descriptors() <= before + 4, 20, "descriptors to be given back")


class Transparent(ProxyTest):
    DNS = True

    def test_an_address_of_the_pool_is_its_name(self):
        address = self.gates.name("api.demo.test")
        with self.gates.dial_tls(address, 443, "api.demo.test") as stream:
            answer = ask(stream, b"GET /v1/x HTTP/1.1\r\nHost: api.demo.test\r\n\r\n")
        self.assertIn(b"hello from api.demo.test/v1/x", answer)
        self.assertTrue(self.gates.rows(address=address, host="api.demo.test", verdict="allow", port=443))

    def test_an_address_nobody_gave_out_is_refused_readably(self):
        for address in ["93.184.216.34", "198.18.200.200", "2606:4700::1111", "169.254.169.254", "127.0.0.1"]:
            with self.subTest(address):
                with self.gates.dial_tls(address, 443, None, verify=False) as stream:
                    answer = ask(stream, b"GET / HTTP/1.1\r\nHost: api.demo.test\r\n\r\n")
                self.refused(answer, 403, "address.unknown", address=address, channel="https")
                with self.gates.dial(address, 80) as stream:
                    answer = ask(stream, b"GET / HTTP/1.1\r\nHost: api.demo.test\r\n\r\n")
                self.refused(answer, 403, "address.unknown", address=address, channel="http")
        self.nothing_reached_the_upstream()

    def test_the_sni_must_be_the_name_and_so_must_the_host_on_every_request(self):
        address = self.gates.name("api.demo.test")
        with self.gates.dial_tls(address, 443, "other.demo.test") as stream:
            answer = ask(stream, b"GET /open/x HTTP/1.1\r\nHost: other.demo.test\r\n\r\n")
        self.refused(answer, 403, "name.mismatch", sni="other.demo.test", address=address)
        with self.gates.dial_tls(address, 443, None) as stream:
            answer = ask(stream, b"GET / HTTP/1.1\r\nHost: api.demo.test\r\n\r\n")
        self.refused(answer, 403, "name.mismatch", sni="", address=address)
        with self.gates.dial_tls(address, 443, "api.demo.test") as stream:
            self.assertIn(b" 200 ", ask(stream, b"GET /1 HTTP/1.1\r\nHost: api.demo.test\r\n\r\n"))
            answer = ask(stream, b"GET /open/2 HTTP/1.1\r\nHost: other.demo.test\r\n\r\n")
        self.refused(answer, 403, "name.mismatch", sni="api.demo.test", host="other.demo.test", path="/open/2")

    def test_what_is_neither_tls_nor_http_leaves_a_row(self):
        address = self.gates.name("api.demo.test")
        with self.gates.dial(address, 22) as stream:
            self.assertEqual(ask(stream, b"\x01\x02binary"), b"")
        row = self.gates.rows(rule_id="protocol.unknown")[-1]
        self.assertEqual((row["channel"], row["port"], row["host"]), ("tcp", 22, "api.demo.test"))

    def test_silence_and_half_a_header_leave_a_row(self):
        address = self.gates.name("api.demo.test")
        with self.gates.dial(address, 25) as stream:
            stream.shutdown(socket.SHUT_WR)
            self.assertEqual(stream.recv(100), b"")
        wait_until(lambda: self.gates.rows(rule_id="protocol.silent", port=25), 5, "the row")
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(self.gates.transparent)
            stream.sendall(proxy_v2(address, 443)[:20])
            stream.shutdown(socket.SHUT_WR)
            self.assertEqual(stream.recv(100), b"")
        wait_until(lambda: self.gates.rows(rule_id="proxy-header.cut-short"), 5, "the row")

    def test_a_crowd_is_refused_and_counted(self):
        gates = Gates(self.directory / "crowded", policy(self.upstream), "--upstream-ca", str(self.upstream.ca))
        self.addCleanup(gates.close)
        limit, more, held = 4096, 300, []
        self.addCleanup(lambda: [stream.close() for stream in held])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * limit), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(limit + more):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(gates.transparent)
        for stream in held[limit:]:
            stream.settimeout(20)
            self.assertEqual(stream.recv(1), b"")

        def counted() -> int:
            return sum(int(re.search(r"at once: (\d+) refused$", row["reason"])[1])
                       for row in gates.rows(rule_id="limit.connections"))
        wait_until(lambda: counted() == more, 20, "all of them to be counted")
        self.assertLess(len(gates.rows(rule_id="limit.connections")), 20)
        # Those that were let in and said nothing have each a row of their own.
        for stream in held:
            stream.close()
        wait_until(lambda: len(gates.rows(rule_id="proxy-header.cut-short")) == limit, 20, "a row for each")

    def test_a_client_that_does_not_trust_the_ca_leaves_a_row(self):
        address = self.gates.name("api.demo.test")
        with self.assertRaises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(self.gates.dial(address, 443), server_hostname="api.demo.test")
        wait_until(lambda: self.gates.rows(rule_id="tls.client-error"), 5, "the row")
        self.assertIn("unknown ca", self.gates.rows(rule_id="tls.client-error")[-1]["reason"])

    def test_without_its_dns_gate_the_proxy_refuses_and_recovers(self):
        gates = Gates(self.directory / "lonely", policy(self.upstream), "--upstream-ca", str(self.upstream.ca), dns=True)
        self.addCleanup(gates.close)
        address = gates.name("api.demo.test")
        request = b"GET /x HTTP/1.1\r\nHost: api.demo.test\r\n\r\n"
        with gates.dial_tls(address, 443, "api.demo.test") as stream:
            self.assertIn(b" 200 ", ask(stream, request))
        dns = gates.processes["gatehouse-dns"]
        dns.kill()
        dns.wait()
        with gates.dial_tls(address, 443, "api.demo.test") as stream:
            answer = ask(stream, request)
        self.assertIn(b'"rule": "dns.unavailable"', answer)
        gates.start("gatehouse-dns", "--listen", f"unix:{gates.dns_socket}")
        with gates.dial_tls(address, 443, "api.demo.test") as stream:
            self.assertIn(b" 200 ", ask(stream, request))

    def test_every_request_the_upstream_saw_has_its_row_whenever_the_proxy_is_killed(self):
        gates = Gates(self.directory / "killed", policy(self.upstream), "--upstream-ca", str(self.upstream.ca))
        self.addCleanup(gates.close)
        for turn in range(3):
            load = [threading.Thread(target=lambda n=n, t=turn: [gates.curl(f"https://api.demo.test/k/{t}/{n}/{i}")
                                                                for i in range(5)]) for n in range(4)]
            seen = len(self.upstream.requests())
            for thread in load:
                thread.start()
            wait_until(lambda: len(self.upstream.requests()) > seen + 3, 30, "some requests")
            proxy = gates.processes["gatehouse-proxy"]
            proxy.kill()
            proxy.wait()
            gates.start_proxy()
            for thread in load:
                thread.join()
        recorded = {row["path"] for row in gates.rows(verdict="allow")}
        for line in self.upstream.requests():
            path = line.split()[2]
            if path.startswith("/k/"):
                self.assertIn(path, recorded)


class CommandLine(unittest.TestCase):
    def test_what_cannot_be_left_out_is_named(self):
        from tests.support.house import BIN
        for options, words in [([], "--policy FILE is required"), (["--workers", "0"], "--workers"),
                               (["--nonsense"], "--nonsense")]:
            done = subprocess.run([BIN / "gatehouse-proxy", *options], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
