"""HTTP/2 on either side of the proxy, with curl, nghttp, h2load and gRPC as clients, nginx and gRPC as upstreams."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from tests.support.gates import Gates
from tests.support.upstream import Upstream, free_port

HOST = "api.demo.test"
GRPC_HOST = "grpc.demo.test"
TOKEN = "ghp_" + "A" * 36
PYTHON = "/usr/bin/python3"  # Debian's, with python3-grpcio

GRPC_SERVER = """
import sys, grpc
from concurrent import futures
port, certificate, key = sys.argv[1:]
raw = dict(request_deserializer=None, response_serializer=None)
def echo(request, context):
    if request == b"fail": context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    return b"echo " + request
def count(request, context):
    for i in range(int(request)): yield str(i).encode()
def collect(requests, context): return b"+".join(requests)
handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo), "Count": grpc.unary_stream_rpc_method_handler(count),
            "Collect": grpc.stream_unary_rpc_method_handler(collect)}
server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Test", handlers),))
server.add_secure_port("127.0.0.1:" + port, grpc.ssl_server_credentials([(open(key, "rb").read(), open(certificate, "rb").read())]))
server.start()
print("ready", flush=True)
server.wait_for_termination()
"""

GRPC_CLIENT = """
import sys, grpc
ca, host = sys.argv[1:]
channel = grpc.secure_channel(host + ":443", grpc.ssl_channel_credentials(open(ca, "rb").read()))
def tell(call):
    try: print(call())
    except grpc.RpcError as error: print(error.code().name, error.details())
tell(lambda: channel.unary_unary("/demo.Test/Echo")(b"hello", timeout=20))
tell(lambda: channel.unary_unary("/demo.Test/Echo")(b"fail", timeout=20))
tell(lambda: b" ".join(channel.unary_stream("/demo.Test/Count")(b"5", timeout=20)))
tell(lambda: channel.stream_unary("/demo.Test/Collect")(iter([b"a", b"b"]), timeout=20))
tell(lambda: channel.unary_unary("/demo.Test/Echo")(b"key TOKEN", timeout=20))
tell(lambda: channel.unary_unary("/demo.Other/Echo")(b"hello", timeout=20))
"""


class Door:
    """A TCP port whose connections reach the proxy as those of a guest do that dials `port` of an address."""

    def __init__(self, gates: Gates, port: int):
        self.gates, self.destination = gates, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client):
        with client, self.gates.dial("198.18.0.7", self.destination) as inside:
            inside.settimeout(None)
            back = threading.Thread(target=self._copy, args=(inside, client), daemon=True)
            back.start()
            self._copy(client, inside)
            back.join()

    @staticmethod
    def _copy(source, sink):
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Http2Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-h2-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Upstream(cls.directory / "upstream", [HOST, GRPC_HOST, "old.demo.test"], http2=True)
        cls.addClassCleanup(cls.upstream.close)
        cls.grpc_port = free_port()
        policy = {
            "http": [{"id": "all", "action": "allow", "hosts": [HOST], "schemes": ["http", "https"]},
                     {"id": "no", "action": "deny", "hosts": [HOST], "paths": ["/no"]},
                     {"id": "grpc", "action": "allow", "hosts": [GRPC_HOST], "methods": ["POST"],
                      "paths": ["/demo.Test/*"]}],
            "dlp": {"deny": ["credentials"]},
            "resolve": {HOST: f"127.0.0.1:{cls.upstream.tls}", GRPC_HOST: f"127.0.0.1:{cls.grpc_port}"},
        }
        cls.gates = Gates(cls.directory / "gates", policy, "--upstream-ca", str(cls.upstream.ca), dlp=True)
        cls.addClassCleanup(cls.gates.close)

    def door(self, port: int) -> Door:
        door = Door(self.gates, port)
        self.addCleanup(door.close)
        return door

    def test_curl_speaks_http2_to_the_upstream(self):
        self.assertEqual(self.gates.curl(f"https://{HOST}/protocol", "--http2"), (200, "HTTP/2.0\n"))
        self.assertEqual(self.gates.curl(f"https://{HOST}/protocol", "--http1.1"), (200, "HTTP/1.1\n"))

    def test_a_denial_is_readable_on_its_stream(self):
        status, told = self.gates.curl(f"https://{HOST}/no", "--http2", "--dump-header", "-")
        self.assertEqual(status, 403)
        self.assertIn("HTTP/2 403", told)
        self.assertIn('"rule": "no"', told)
        self.assertEqual(self.gates.rows(path="/no")[-1]["verdict"], "deny")

    def test_a_secret_is_found_wherever_http2_puts_it(self):
        before = self.upstream.requests()
        for where in (["-H", f"x-key: {TOKEN}"], ["--data", f"key={TOKEN}"], ["-H", f"cookie: a=1; b={TOKEN}"]):
            status, body = self.gates.curl(f"https://{HOST}/created", "--http2", *where)
            self.assertEqual(status, 403, where)
            self.assertIn("dlp.github-pat", body)
        self.assertEqual(self.upstream.requests(), before)

    def test_bodies_pass_both_ways_as_they_are(self):
        blob = os.urandom(3 << 20)
        (self.upstream.directory / "files" / "blob").write_bytes(blob)
        fetched = self.directory / "fetched"
        status, _ = self.gates.curl(f"https://{HOST}/files/blob", "--http2", "-o", str(fetched))
        self.assertEqual((status, fetched.read_bytes() == blob), (200, True))
        (self.directory / "sent").write_bytes(b"x" * (2 << 20))
        status, body = self.gates.curl(f"https://{HOST}/created", "--http2", "--data-binary", f"@{self.directory}/sent")
        self.assertEqual((status, body), (201, "created\n"))

    def test_another_name_on_the_connection_is_misdirected(self):
        status, body = self.gates.curl(f"https://{HOST}/", "--http2", "-H", "Host: other.demo.test")
        self.assertEqual(status, 421)
        self.assertIn("name.mismatch", body)

    def test_h2load_has_all_its_streams_answered(self):
        door = self.door(443)
        done = subprocess.run(["h2load", "-n", "400", "-c", "4", "-m", "25", f"--connect-to=127.0.0.1:{door.port}",
                               f"https://{HOST}/protocol"], capture_output=True, text=True, timeout=60)
        self.assertRegex(done.stdout, r"requests: 400 total, 400 started, 400 done, 400 succeeded, 0 failed",
                         done.stderr)
        self.assertEqual(len(self.gates.rows(path="/protocol", channel="https")) >= 400, True)

    def test_nghttp_speaks_it_by_prior_knowledge(self):
        door = self.door(80)
        done = subprocess.run(["nghttp", "-v", "--no-dep", "-H", f":authority: {HOST}", f"http://127.0.0.1:{door.port}/no"],
                              capture_output=True, text=True, timeout=30)
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        self.assertIn(":status: 403", said)
        self.assertIn("gatehouse-rule: no", said)

    def test_grpc_works_and_is_judged_call_by_call(self):
        at = self.upstream.directory
        server = subprocess.Popen([PYTHON, "-c", GRPC_SERVER, str(self.grpc_port), f"{at}/server.pem", f"{at}/server.key"],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.assertEqual(server.stdout.readline(), "ready\n")
        environment = {**os.environ, "http_proxy": f"http://127.0.0.1:{self.gates.port}",
                       "https_proxy": f"http://127.0.0.1:{self.gates.port}", "no_proxy": ""}
        done = subprocess.run([PYTHON, "-c", GRPC_CLIENT.replace("TOKEN", TOKEN), str(self.gates.ca), GRPC_HOST],
                              capture_output=True, text=True, timeout=120, env=environment)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:4], ["b'echo hello'", "NOT_FOUND no such thing", "b'0 1 2 3 4'", "b'a+b'"], done.stderr)
        self.assertTrue(lines[4].startswith("PERMISSION_DENIED"), lines)
        self.assertTrue(lines[5].startswith("PERMISSION_DENIED"), lines)
        rows = self.gates.rows(host=GRPC_HOST)
        self.assertEqual([row["verdict"] for row in rows], ["allow"] * 4 + ["deny"] * 2)
        self.assertEqual(rows[4]["rule_id"], "dlp.github-pat")


if __name__ == "__main__":
    unittest.main()
