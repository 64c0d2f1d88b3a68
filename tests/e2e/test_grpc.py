"""gRPC through the proxy and its scanner, with gRPC's own client and server: calls of one message, streams one way, and
both sides talking at once."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from tests.support.gates import Gates
from tests.support.upstream import Upstream, free_port

HOST = "grpc.demo.test"
TOKEN = "ghp_" + "A" * 36
PYTHON = "/usr/bin/python3"  # Debian's, with python3-grpcio

SERVER = """
import sys, grpc
from concurrent import futures
port, certificate, key, seen = sys.argv[1:]
def see(message):
    with open(seen, "ab") as file: file.write(message + b"\\n")
    return message
def echo(request, context):
    if request == b"fail": context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    return b"echo " + see(request)
def count(request, context):
    for i in range(int(request)): yield str(i).encode()
def collect(requests, context): return b"+".join(requests)
def talk(requests, context):
    for request in requests: yield b"heard " + see(request)
def greet(requests, context):
    yield b"welcome"
    yield from talk(requests, context)
handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo), "Count": grpc.unary_stream_rpc_method_handler(count),
            "Collect": grpc.stream_unary_rpc_method_handler(collect), "Talk": grpc.stream_stream_rpc_method_handler(talk),
            "Greet": grpc.stream_stream_rpc_method_handler(greet)}
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Test", handlers),))
server.add_secure_port("127.0.0.1:" + port, grpc.ssl_server_credentials([(open(key, "rb").read(), open(certificate, "rb").read())]))
server.start()
print("ready", flush=True)
server.wait_for_termination()
"""

CLIENT = """
import sys, queue, grpc
ca, host = sys.argv[1:]
channel = grpc.secure_channel(host + ":443", grpc.ssl_channel_credentials(open(ca, "rb").read()))
def tell(call):
    try: print(call())
    except grpc.RpcError as error: print(error.code().name, error.details())
class Dialogue:
    def __init__(self, method, **more):
        self.said = queue.Queue()
        self.heard = channel.stream_stream("/demo.Test/" + method)(iter(self.said.get, None), timeout=30, **more)
    def say(self, *messages):
        for message in messages: self.said.put(message)
        return self
    def hear(self): return next(self.heard)
    def end(self):
        self.said.put(None)
        return b" ".join(self.heard)
SCRIPT
"""


class GrpcTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-grpc-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Upstream(cls.directory / "upstream", [HOST], http2=True)
        cls.addClassCleanup(cls.upstream.close)
        port = free_port()
        cls.gates = Gates(cls.directory / "gates", {
            "http": [{"id": "grpc", "action": "allow", "hosts": [HOST], "methods": ["POST"], "paths": ["/demo.Test/*"]}],
            "dlp": {"deny": ["credentials"]},
            "resolve": {HOST: f"127.0.0.1:{port}"},
        }, "--upstream-ca", str(cls.upstream.ca), dlp=True)
        cls.addClassCleanup(cls.gates.close)
        cls.seen_file = cls.directory / "seen"
        cls.seen_file.touch()
        at = cls.upstream.directory
        server = subprocess.Popen([PYTHON, "-c", SERVER, str(port), f"{at}/server.pem", f"{at}/server.key",
                                   str(cls.seen_file)], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(server.stdout.close)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.kill)
        if server.stdout.readline() != "ready\n":
            raise RuntimeError("the gRPC server does not start")

    def setUp(self):
        self.rows_before = len(self.gates.rows(host=HOST))
        self.seen_file.write_bytes(b"")

    def run_client(self, script: str) -> list[str]:
        environment = {**os.environ, "http_proxy": f"http://127.0.0.1:{self.gates.port}",
                       "https_proxy": f"http://127.0.0.1:{self.gates.port}", "no_proxy": ""}
        code = CLIENT.replace("SCRIPT", script.replace("TOKEN", TOKEN))
        done = subprocess.run([PYTHON, "-c", code, str(self.gates.ca), HOST], capture_output=True, text=True, timeout=120,
                              env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def rows(self) -> list[dict]:
        return self.gates.rows(host=HOST)[self.rows_before:]

    def seen(self) -> list[bytes]:
        return self.seen_file.read_bytes().splitlines()

    def test_calls_and_streams_one_way_are_judged_call_by_call(self):
        lines = self.run_client("""
tell(lambda: channel.unary_unary("/demo.Test/Echo")(b"hello", timeout=20))
tell(lambda: channel.unary_unary("/demo.Test/Echo")(b"fail", timeout=20))
tell(lambda: b" ".join(channel.unary_stream("/demo.Test/Count")(b"5", timeout=20)))
tell(lambda: channel.stream_unary("/demo.Test/Collect")(iter([b"a", b"b"]), timeout=20))
tell(lambda: channel.unary_unary("/demo.Test/Echo")(b"key TOKEN", timeout=20))
tell(lambda: channel.unary_unary("/demo.Other/Echo")(b"hello", timeout=20))
tell(lambda: len(channel.unary_unary("/demo.Test/Echo")(b"long " * 400000, timeout=20)))
""")
        self.assertEqual(lines[:4], ["b'echo hello'", "NOT_FOUND no such thing", "b'0 1 2 3 4'", "b'a+b'"])
        events = [row["event_id"] for row in self.rows() if row["verdict"] == "deny"]
        self.assertIn(f"PERMISSION_DENIED dlp.github-pat event {events[0]}: found ", lines[4])
        self.assertIn(f"PERMISSION_DENIED default-deny event {events[1]}: ", lines[5])
        self.assertIn("ask the operator", lines[5])
        self.assertEqual(lines[6], "2000005")
        self.assertEqual([row["verdict"] for row in self.rows()], ["allow"] * 4 + ["deny"] * 2 + ["allow"])
        self.assertEqual(self.rows()[4]["rule_id"], "dlp.github-pat")
        self.assertNotIn(TOKEN.encode(), b"".join(self.seen()))

    def test_both_sides_talk_at_once(self):
        lines = self.run_client("""
talk = Dialogue("Talk")
for message in (b"one", b"two", b"three"): tell(talk.say(message).hear)
tell(talk.end)
tell(Dialogue("Talk").say(b"a", b"b", b"c" * 300000).end().__len__)
greeted = Dialogue("Greet")
tell(greeted.hear)
tell(greeted.say(b"thanks").hear)
tell(greeted.end)
""")
        self.assertEqual(lines, ["b'heard one'", "b'heard two'", "b'heard three'", "b''", str(300000 + 22),
                                 "b'welcome'", "b'heard thanks'", "b''"])
        self.assertEqual([(row["verdict"], row["path"]) for row in self.rows()],
                         [("allow", "/demo.Test/Talk")] * 2 + [("allow", "/demo.Test/Greet")])

    def test_a_later_message_that_is_denied_ends_the_call_in_words(self):
        for compression in ("NoCompression", "Gzip", "Deflate"):
            with self.subTest(compression):
                self.setUp()
                lines = self.run_client(f"""
talk = Dialogue("Talk", compression=grpc.Compression.{compression})
tell(talk.say(b"a message that is long enough to be worth compressing, " * 10).hear)
tell(talk.say(b"my key is TOKEN " + b"and so on, " * 100).hear)
tell(talk.say(b"after").hear)
""")
                allowed, denied = self.rows()
                self.assertEqual((allowed["verdict"], denied["verdict"]), ("allow", "deny"))
                self.assertEqual(denied["rule_id"], "dlp.github-pat")
                self.assertEqual(denied["trace_id"], allowed["trace_id"])
                self.assertIn("b'heard a message", lines[0])
                self.assertIn(f"PERMISSION_DENIED dlp.github-pat event {denied['event_id']}: found ", lines[1])
                self.assertEqual(len(self.seen()), 1)


if __name__ == "__main__":
    unittest.main()
