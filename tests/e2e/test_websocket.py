"""WebSockets out of a real guest, with a real client (python3-websockets, brought along) and a real server: text, binary,
fragmented and compressed messages arrive; a secret in one does not, in one piece or in several."""

import base64
import io
import json
import pathlib
import shlex
import tarfile

import websockets

from tests.support.house import HouseTest, Shell
from tests.support.websocket_server import Server

TOKEN = "ghp_" + "A" * 36

CLIENT = """
import asyncio, json, sys
sys.path.insert(0, "/tmp/client")
import websockets
async def main(path, messages):
    try:
        async with websockets.connect("wss://live.demo.test" + path, max_size=None, open_timeout=60, close_timeout=60,
                                      ping_interval=None) as socket:
            print("extensions", [one.name for one in socket.extensions])
            for message in messages:
                if isinstance(message, str) and message.startswith("bytes:"):
                    message = message.encode()
                await socket.send(message)
                answer = await socket.recv()
                print(type(answer).__name__, len(answer), answer[:40])
            await (await socket.ping(b"are you there"))
            print("pong")
        print("closed", socket.close_code)
    except websockets.ConnectionClosed as closed:
        print("closed", closed.rcvd.code, closed.rcvd.reason)
    except websockets.InvalidStatusCode as refused:
        print("status", refused.status_code)
asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


def packed_client() -> str:
    """The client library, which is Python alone but for a part it can do without."""
    folder = pathlib.Path(websockets.__file__).parent
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for file in folder.rglob("*.py"):
            archive.add(file, f"websockets/{file.relative_to(folder)}")
    return base64.b64encode(data.getvalue()).decode()


class WebSockets(HouseTest):
    NAMES = ["live.demo.test"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.upstream.directory)
        cls.addClassCleanup(cls.server.close)
        policy = cls.house.policy({
            "http": [{"id": "live", "action": "allow", "hosts": ["live.demo.test"], "schemes": ["wss"],
                      "paths": ["/live"]},
                     {"id": "rest", "action": "allow", "hosts": ["live.demo.test"]}],
            "resolve": {"live.demo.test": f"127.0.0.1:{cls.server.port}"},
        })
        cls.shell = Shell(cls.house, "--policy", policy, "--name", "sockets", "--upstream-ca", str(cls.upstream.ca))
        cls.addClassCleanup(cls.shell.close)
        code, output = cls.shell.run(f"mkdir -p /tmp/client; echo {packed_client()} | base64 -d | tar xz -C /tmp/client; "
                                     f"printf %s {shlex.quote(CLIENT)} > /tmp/client.py")
        if code != 0:
            raise RuntimeError(output)

    def talk(self, messages: list, path: str = "/live") -> str:
        return self.shell.run(f"python3 /tmp/client.py {path} {shlex.quote(json.dumps(messages))}")[1]

    def test_messages_of_every_kind_arrive(self):
        before = len(self.server.received)
        long = "a line of text that is said again and again\n" * 2500
        output = self.talk(["hello", "bytes:\0\1", ["a text ", "in three ", "fragments"], "gr\u00fc\u00dfe"])
        self.assertIn("extensions ['permessage-deflate']", output)
        self.assertIn("str 5 hello", output)
        self.assertIn("pong", output)
        self.assertIn("closed 1000", output)
        self.assertEqual(self.server.received[before:],
                         ["hello", b"bytes:\0\1", "a text in three fragments", "gr\u00fc\u00dfe"])
        net = self.rows("sockets", table="net_events", path="/live", verdict="allow")[-1]
        self.assertEqual((net["rule_id"], net["method"], net["host"]), ("live", "GET", "live.demo.test"))
        result = self.rows("sockets", table="net_results", event_id=net["event_id"])
        self.assertEqual([(one["status"], one["error"]) for one in result], [(101, "")])
        self.assertIn(f"str {len(long)}", self.shell.run(
            "python3 -c \"import json, subprocess, sys; subprocess.run(['python3', '/tmp/client.py', '/live', "
            "json.dumps(['a line of text that is said again and again\\\\n' * 2500])])\"")[1])
        self.assertEqual(self.server.received[-1], long)

    def test_a_secret_does_not_arrive(self):
        for name, messages in {"whole": ["my token is " + TOKEN], "in fragments": [["x " + TOKEN[:9], TOKEN[9:]]],
                               "as bytes": ["bytes:" + TOKEN],
                               "in base64": [base64.b64encode(f"my token is {TOKEN}".encode()).decode()]}.items():
            with self.subTest(name):
                before = len(self.server.received)
                output = self.talk(["first"] + messages)
                self.assertIn("closed 1008 dlp.github-pat event ", output)
                self.assertEqual(self.server.received[before:], ["first"])
                denial = self.rows("sockets", table="net_events", rule_id="dlp.github-pat")[-1]
                self.assertEqual(denial["verdict"], "deny")
                self.assertIn(denial["event_id"], output)
                self.assertTrue(self.rows("sockets", table="dlp_findings", trace_id=denial["trace_id"], action="deny"))

    def test_a_secret_spread_over_messages_does_not_arrive_whole(self):
        before = len(self.server.received)
        output = self.talk([TOKEN[:20], TOKEN[20:]])
        self.assertIn("closed 1008 dlp.github-pat", output)
        self.assertEqual(self.server.received[before:], [TOKEN[:20]])

    def test_a_rule_for_requests_opens_no_websocket(self):
        opened = self.server.opened
        self.assertIn("status 403", self.talk(["hello"], path="/other"))
        self.assertEqual(self.server.opened, opened)
        row = self.rows("sockets", table="net_events", path="/other")[-1]
        self.assertEqual((row["verdict"], row["rule_id"]), ("deny", "default-deny"))
