"""WebSockets on a stream of HTTP/2 (RFC 8441), with Node's HTTP/2 as the client and a server that speaks HTTP/1.1."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from tests.support.door import Door
from tests.support.gates import Gates
from tests.support.upstream import Upstream
from tests.support.websocket_server import Server

HOST = "live.demo.test"
TOKEN = "ghp_" + "A" * 36

CLIENT = """
const http2 = require("http2"), tls = require("tls"), fs = require("fs"), crypto = require("crypto");
const [ca, port, host, path, protocol, messages] = process.argv.slice(1);
const frame = (opcode, payload) => {
  const bytes = Buffer.from(payload), key = crypto.randomBytes(4);
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length]), key, bytes.map((byte, i) => byte ^ key[i & 3])]);
};
const client = http2.connect("https://" + host, {createConnection: () => tls.connect(
  {host: "127.0.0.1", port: +port, servername: host, ALPNProtocols: ["h2"], ca: fs.readFileSync(ca)})});
client.once("remoteSettings", settings => {
  console.log("announced", settings.enableConnectProtocol);
  const left = JSON.parse(messages);
  const next = () => stream.write(left.length ? frame(1, left.shift()) : frame(8, [3, 232]));
  const stream = client.request({":method": "CONNECT", ":protocol": protocol, ":path": path, "sec-websocket-version": "13"});
  let status = 0, heard = Buffer.alloc(0);
  stream.on("response", head => {
    status = head[":status"];
    console.log("status", status);
    if (status === 200) next();
  });
  stream.on("data", bytes => {
    heard = Buffer.concat([heard, bytes]);
    while (status === 200 && heard.length >= 2) {
      const size = heard[1] & 127, wide = size === 126 ? 2 : 0;
      const length = wide ? heard.readUInt16BE(2) : size;
      if (heard.length < 2 + wide + length) return;
      const payload = heard.subarray(2 + wide, 2 + wide + length), opcode = heard[0] & 15;
      heard = heard.subarray(2 + wide + length);
      if (opcode === 8) console.log("closed", payload.readUInt16BE(0), payload.subarray(2).toString());
      if (opcode === 1) { console.log("text", payload.toString()); next(); }
    }
  });
  stream.on("end", () => {
    if (status !== 200) console.log(heard.toString());
    console.log("ended");
    stream.end();
    client.close();
  });
});
"""


class WebSocketHttp2Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-ws2-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Upstream(cls.directory / "upstream", [HOST])
        cls.addClassCleanup(cls.upstream.close)
        cls.server = Server(cls.upstream.directory)
        cls.addClassCleanup(cls.server.close)
        cls.gates = Gates(cls.directory / "gates", {
            "http": [{"id": "live", "action": "allow", "hosts": [HOST], "schemes": ["wss"], "paths": ["/live"]},
                     {"id": "rest", "action": "allow", "hosts": [HOST]}],
            "dlp": {"deny": ["credentials"]},
            "resolve": {HOST: f"127.0.0.1:{cls.server.port}"},
        }, "--upstream-ca", str(cls.upstream.ca), dlp=True)
        cls.addClassCleanup(cls.gates.close)
        cls.door = Door(cls.gates, 443)
        cls.addClassCleanup(cls.door.close)

    def talk(self, *messages: str, path: str = "/live", protocol: str = "websocket") -> list[str]:
        done = subprocess.run(["node", "-e", CLIENT, str(self.gates.ca), str(self.door.port), HOST, path, protocol,
                               json.dumps(messages)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_messages_go_both_ways(self):
        before = len(self.server.received)
        long = "a long line, " * 1000
        self.assertEqual(self.talk("hello", "gr\u00fc\u00dfe", long),
                         ["announced true", "status 200", "text hello", "text gr\u00fc\u00dfe", "text " + long,
                          "closed 1000 ", "ended"])
        self.assertEqual(self.server.received[before:], ["hello", "gr\u00fc\u00dfe", long])
        row = self.gates.rows(path="/live")[-1]
        self.assertEqual((row["channel"], row["verdict"], row["rule_id"]), ("wss", "allow", "live"))

    def test_a_secret_does_not_arrive(self):
        before = len(self.server.received)
        lines = self.talk("first", "my token is " + TOKEN, "last")
        denial = self.gates.rows(rule_id="dlp.github-pat")[-1]
        self.assertEqual(lines[2], "text first")
        self.assertTrue(lines[3].startswith(f"closed 1008 dlp.github-pat event {denial['event_id']}"), lines)
        self.assertEqual(lines[4:], ["ended"])
        self.assertEqual(self.server.received[before:], ["first"])

    def test_nothing_else_is_opened(self):
        opened = self.server.opened
        for path, protocol, status, rule in (("/other", "websocket", 403, "default-deny"),
                                             ("/live", "connect-udp", 501, "protocol.connect")):
            with self.subTest(path=path, protocol=protocol):
                lines = self.talk("hello", path=path, protocol=protocol)
                self.assertEqual(lines[:2], ["announced true", f"status {status}"])
                self.assertIn(f'"rule": "{rule}"', "\n".join(lines))
        self.assertEqual(self.server.opened, opened)


if __name__ == "__main__":
    unittest.main()
