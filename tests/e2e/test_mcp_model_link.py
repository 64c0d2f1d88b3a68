"""An agent in a real guest asks a model, the model asks for a tool, and the agent calls it through the MCP gateway: the log
tells it as one story."""

import http.client
import json
import os
import pathlib
import shlex
import shutil
import ssl
import tempfile
import textwrap
import unittest

from tests.support.gates import Gates
from tests.support.house import HouseTest, Shell
from tests.support.mcp_gate import McpGate, server
from tests.support.provider import Provider
from tests.support.upstream import Upstream, wait_until

WISH = {"text": "as it pleases", "more": 5}


def event(**data) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


# The model writes its JSON in a way of its own, in pieces; the client puts a prefix before the names of our tools.
MESSAGE = [
    event(type="message_start", message={"id": "msg_1", "type": "message", "model": "made-up-model", "content": [],
                                         "usage": {"input_tokens": 10, "output_tokens": 1}}),
    event(type="content_block_start", index=0,
          content_block={"type": "tool_use", "id": "toolu_01", "name": "mcp__gatehouse__own__echo", "input": {}}),
    event(type="content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": '{ "more" : 5.0, "te'}),
    event(type="content_block_delta", index=0,
          delta={"type": "input_json_delta", "partial_json": 'xt": "as it ple\\u0061ses"}'}),
    event(type="message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 20}),
    event(type="message_stop"),
]

AGENT = """
import http.client, json, subprocess
model = http.client.HTTPSConnection("api.model.test")
model.request("POST", "/v1/messages", json.dumps({"model": "made-up-model", "max_tokens": 10, "stream": True,
    "messages": [{"role": "user", "content": "hi"}]}), {"Content-Type": "application/json"})
events = [json.loads(line[6:]) for line in model.getresponse().read().decode().splitlines() if line.startswith("data: ")]
name = next(event["content_block"]["name"] for event in events if event["type"] == "content_block_start")
text = "".join(event["delta"].get("partial_json", "") for event in events if event["type"] == "content_block_delta")
server = subprocess.Popen(["gatehouse-guest", "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
def ask(id, method, params={}):
    print(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}), file=server.stdin, flush=True)
    for line in server.stdout:
        message = json.loads(line)
        if message.get("id") == id:
            return message
ask(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}})
print(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}), file=server.stdin, flush=True)
tool = name.removeprefix("mcp__gatehouse__")
wish = dict(sorted((key, int(value) if isinstance(value, float) else value) for key, value in json.loads(text).items()))
ask(5, "tools/list", {})  # waits for the server to be up
print(json.dumps([ask(2, "tools/call", {"name": tool, "arguments": wish}),
                  ask(3, "tools/call", {"name": tool, "arguments": {**wish, "text": "of its own accord"}}),
                  ask(4, "tools/call", {"name": "own__write_file", "arguments": wish})]))
"""


class LinkedGate(McpGate):
    """One that has the proxy's key, and writes into the proxy's log."""

    def _start(self, binary: str, *options: str):
        key = ("--call-key", str(self.directory / "call-key")) if binary == "gatehouse-mcp-gateway" else ()
        return super()._start(binary, *options, *key)


class GatesAlone(unittest.TestCase):
    """Proxy and gateway run by hand, with one key."""

    def test_a_call_is_linked_to_the_latest_wish_for_it_also_after_the_gateway_crashed(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-link-"))
        self.addCleanup(shutil.rmtree, directory)
        upstream = Upstream(directory / "upstream", ["api.model.test"])
        self.addCleanup(upstream.close)
        provider = Provider(upstream, {"/v1/messages": ("text/event-stream", MESSAGE)})
        self.addCleanup(provider.close)
        mcp = {"servers": {"own": server("good")},
               "tools": [{"id": "own", "action": "allow", "server": "own", "tools": ["echo"]}]}
        rules = {"http": [{"id": "model", "action": "allow", "hosts": ["api.model.test"]}],
                 "resolve": {"api.model.test": f"127.0.0.1:{provider.port}"}}
        folder = directory / "gates"
        folder.mkdir()
        key = folder / "call-key"
        key.touch(0o600)
        key.write_bytes(os.urandom(32))
        gates = Gates(folder, {**rules, "mcp": mcp}, "--upstream-ca", str(upstream.ca), "--call-key", str(key))
        self.addCleanup(gates.close)
        gateway = LinkedGate(folder, mcp, **rules)
        self.addCleanup(gateway.close)

        def ask_model() -> dict:
            known = len(gateway.rows("tool_calls"))
            model = http.client.HTTPSConnection("127.0.0.1", gates.port, timeout=30,
                                                context=ssl.create_default_context(cafile=str(gates.ca)))
            model.set_tunnel("api.model.test", 443)
            model.request("POST", "/v1/messages", json.dumps({"model": "made-up-model", "max_tokens": 10, "messages": [
                {"role": "user", "content": "hi"}]}), {"Content-Type": "application/json"})
            self.assertEqual(model.getresponse().read(), b"".join(MESSAGE))
            model.close()
            wait_until(lambda: len(gateway.rows("tool_calls")) > known, 30, "the row of the model's wish")
            return gateway.rows("tool_calls")[-1]

        def call(arguments: dict) -> dict:
            client = gateway.client()
            wait_until(lambda: "result" in client.call("own__echo", {"text": "up"}), 30, "the server")
            client.call("own__echo", arguments)
            client.close()
            return gateway.rows(method="tools/call")[-1]

        self.assertEqual(call(WISH)["asked_by"], "", "before any model has asked for it")
        first = ask_model()
        linked = [call(WISH), call(dict(reversed(WISH.items())))]
        second = ask_model()
        gateway.crash()
        linked.append(call(WISH))
        for row, wish in zip(linked, (first, first, second)):
            self.assertEqual((row["asked_by"], row["trace_id"], row["call_hash"]),
                             (wish["event_id"], wish["trace_id"], wish["call_hash"]))
            self.assertEqual([result["trace_id"] for result in gateway.rows("mcp_results", event_id=row["event_id"])],
                             [wish["trace_id"]])
        self.assertNotEqual(first["trace_id"], second["trace_id"])
        self.assertEqual(call({**WISH, "more": 6})["asked_by"], "")


class McpModelLink(HouseTest):
    NAMES = ["api.model.test"]

    def test_a_call_that_a_model_asked_for_shares_the_trace_of_its_exchange(self):
        provider = Provider(self.upstream, {"/v1/messages": ("text/event-stream", MESSAGE)})
        self.addCleanup(provider.close)
        seen = self.house.directory / "seen"
        policy = self.house.policy({
            "http": [{"id": "model", "action": "allow", "hosts": ["api.model.test"]}],
            "resolve": {"api.model.test": f"127.0.0.1:{provider.port}"},
            "mcp": {"servers": {"own": server("good", seen)},
                    "tools": [{"id": "own", "action": "allow", "server": "own", "tools": ["echo"]}]}})
        shell = Shell(self.house, "--policy", policy, "--name", "link", "--upstream-ca", str(self.upstream.ca))
        try:
            code, told = shell.run(f"python3 -c {shlex.quote(textwrap.dedent(AGENT))}")
        finally:
            shell.close()
        self.assertEqual(code, 0, told)
        asked, own, denied = json.loads(told.splitlines()[-1])
        self.assertEqual(asked["result"]["content"][0]["text"], f"echo: {WISH['text']}")
        self.assertIn("result", own)
        self.assertIn("error", denied)

        (wish,) = self.rows("link", table="tool_calls")
        calls = [row for row in self.rows("link", table="mcp_calls") if row["method"] == "tools/call"]
        followed, alone, other = calls
        self.assertEqual([(row["tool"], row["verdict"]) for row in (followed, alone)], [("echo", "allow")] * 2)
        self.assertEqual(other["verdict"], "deny")
        self.assertEqual((wish["name"], len(wish["call_hash"])), ("mcp__gatehouse__own__echo", 16))
        self.assertEqual((followed["trace_id"], followed["asked_by"], followed["call_hash"]),
                         (wish["trace_id"], wish["event_id"], wish["call_hash"]))
        for row in (alone, other):
            self.assertNotEqual(row["trace_id"], wish["trace_id"])
            self.assertNotEqual(row["call_hash"], wish["call_hash"])
            self.assertEqual((row["asked_by"], len(row["call_hash"])), ("", 16))

        # From the call back to the model, whichever id one has.
        for id_ in (followed["event_id"], wish["event_id"], wish["trace_id"]):
            story = [json.loads(line) for line in
                     self.house.gatehouse("audit", "link", "--trace", id_, "--json").stdout.splitlines()]
            self.assertEqual([row["table"] for row in story],
                             ["net_events", "net_results", "model_calls", "tool_calls", "mcp_calls", "mcp_results"])
        listing = self.house.gatehouse("audit", "link", "--trace", followed["event_id"]).stdout
        for words in ("anthropic made-up-model status 200", "call mcp__gatehouse__own__echo toolu_01",
                      'own echo {"more":"<number>","text":"<text of 13>"} as a model asked'):
            self.assertIn(words, listing)
        self.assertNotIn("accord", listing)
        self.assertNotIn("pleases", json.dumps(self.house.audit("link")))
        self.assertEqual(self.house.gatehouse("audit", "verify", "link").returncode, 0)


if __name__ == "__main__":
    unittest.main()
