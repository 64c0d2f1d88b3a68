"""Calls of language models out of a real guest: the stream comes through event by event, and the log tells what it was,
what it cost, which tools were called and answered, and nothing of their arguments."""

import gzip
import json
import shlex

from tests.support.house import HouseTest, Shell
from tests.support.provider import Provider

ARGUMENTS = json.dumps({"cmd": "cat private-notes.txt"})


def event(**data) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


MESSAGE = [
    event(type="message_start", message={"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5-20250929",
                                         "content": [], "usage": {"input_tokens": 1000, "cache_read_input_tokens": 500,
                                                                  "cache_creation_input_tokens": 0,
                                                                  "output_tokens": 1}}),
    event(type="content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "FIRST"}),
    None,
    event(type="content_block_start", index=1,
          content_block={"type": "tool_use", "id": "toolu_01", "name": "shell", "input": {}}),
    event(type="content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": ARGUMENTS[:9]}),
    event(type="content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": ARGUMENTS[9:]}),
    event(type="message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 200}),
    event(type="message_stop"),
]
DONE = json.dumps({"type": "message", "model": "claude-sonnet-4-5-20250929", "content": [], "stop_reason": "end_turn",
                   "usage": {"input_tokens": 5, "output_tokens": 1}}).encode()
COMPLETION = json.dumps({
    "object": "chat.completion", "model": "some-local-model", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "done"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 30, "completion_tokens": 4}}).encode()
GEMINI = [b'[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n', b',\r\n{"candidates":[{"finishReason":"STOP"}],'
          b'"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":2},'
          b'"modelVersion":"gemini-2.5-flash"}]']

# Reads the stream up to the first token, and only then lets the provider go on.
READER = """
import http.client, json, sys
stream = http.client.HTTPSConnection("api.model.test")
stream.request("POST", "/v1/messages", json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 10, "stream": True,
    "messages": [{"role": "user", "content": "hi"}]}), {"Content-Type": "application/json"})
answer = stream.getresponse()
lines = []
while "FIRST" not in "".join(lines):
    lines.append(answer.readline().decode())
print("first token here")
other = http.client.HTTPSConnection("api.model.test")
other.request("GET", "/go")
assert other.getresponse().status == 204
rest = answer.read().decode()
print("message_stop" in rest, answer.status)
"""


class ModelCalls(HouseTest):
    NAMES = ["api.model.test"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = Provider(
            cls.upstream,
            {"/v1/messages": ("text/event-stream", MESSAGE),
             "/gateway/v1/messages": ("application/json", [DONE]),
             "/v1/chat/completions": ("application/json", [gzip.compress(COMPLETION)]),
             "/v1beta/models/gemini-2.5-flash:streamGenerateContent": ("application/json", GEMINI),
             "/survey/responses": ("application/json", [b"{}"])},
            {"/v1/chat/completions": {"Content-Encoding": "gzip"}})
        cls.addClassCleanup(cls.provider.close)
        policy = cls.house.policy({
            "http": [{"id": "model", "action": "allow", "hosts": ["api.model.test"]}],
            "resolve": {"api.model.test": f"127.0.0.1:{cls.provider.port}"},
        })
        cls.shell = Shell(cls.house, "--policy", policy, "--name", "models", "--upstream-ca", str(cls.upstream.ca))
        cls.addClassCleanup(cls.shell.close)

    def post(self, path: str, body: dict) -> str:
        code, output = self.shell.run(f"curl -sS --max-time 20 --compressed -H 'Content-Type: application/json' "
                                      f"-d {shlex.quote(json.dumps(body))} 'https://api.model.test{path}'")
        self.assertEqual(code, 0, output)
        return output

    def call(self, api: str) -> dict:
        return self.rows("models", table="model_calls", api=api)[-1]

    def test_a_stream_comes_event_by_event_and_is_told_with_its_cost(self):
        _, output = self.shell.run(f"python3 -c {shlex.quote(READER)}")
        self.assertIn("first token here", output)
        self.assertIn("True 200", output)
        row = self.rows("models", table="model_calls", stop_reason="tool_use")[-1]
        self.assertEqual((row["provider"], row["model"], row["streamed"], row["status"], row["stop_reason"]),
                         ("anthropic", "claude-sonnet-4-5-20250929", 1, 200, "tool_use"))
        self.assertEqual((row["input_tokens"], row["cached_tokens"], row["output_tokens"]), (1500, 500, 200))
        self.assertEqual(row["cost_microdollars"], 1000 * 3 + 150 + 200 * 15)
        self.assertLess(row["first_token_us"], row["latency_us"])
        net = self.rows("models", table="net_events", event_id=row["event_id"])
        self.assertEqual([(one["path"], one["trace_id"]) for one in net], [("/v1/messages", row["trace_id"])])

        tool = self.rows("models", table="tool_calls", trace_id=row["trace_id"])
        self.assertEqual([(one["call_id"], one["name"], one["arguments_bytes"]) for one in tool],
                         [("toolu_01", "shell", len(ARGUMENTS))])
        self.assertNotIn("private-notes", json.dumps(self.house.audit("models")))

        # The next request brings the tool's answer, and does so again with every further one.
        followed = {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01", "name": "shell", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01", "content": "notes"}]}]}
        for _ in range(2):
            self.post("/gateway/v1/messages", followed)
        answers = self.rows("models", table="tool_responses")
        self.assertEqual([(one["call_id"], one["name"], one["call_trace_id"], one["content_bytes"]) for one in answers],
                         [("toolu_01", "shell", row["trace_id"], 5)])

        listing = self.house.gatehouse("audit", "models").stdout
        self.assertIn("anthropic claude-sonnet-4-5-20250929 status 200: 1500 tokens in (500 cached), 200 out, $0.006150",
                      listing)
        self.assertIn("call shell toolu_01", listing)
        self.assertIn("answer to shell toolu_01", listing)
        self.assertEqual(self.house.gatehouse("audit", "verify", "models").returncode, 0)

    def test_a_compatible_server_counts_and_an_unknown_model_has_no_cost(self):
        output = self.post("/v1/chat/completions", {"model": "some-local-model", "messages": []})
        self.assertEqual(json.loads(output), json.loads(COMPLETION))
        row = self.call("chat-completions")
        self.assertEqual((row["provider"], row["model"], row["input_tokens"], row["output_tokens"], row["streamed"]),
                         ("openai", "some-local-model", 30, 4, 0))
        self.assertIsNone(row["cost_microdollars"])
        self.assertEqual(row["detail"], "")

    def test_geminis_list_is_a_stream(self):
        self.post("/v1beta/models/gemini-2.5-flash:streamGenerateContent", {"contents": []})
        row = self.call("generate-content")
        self.assertEqual((row["model"], row["input_tokens"], row["output_tokens"], row["reasoning_tokens"],
                          row["streamed"], row["stop_reason"]), ("gemini-2.5-flash", 10, 5, 2, 1, "STOP"))
        self.assertEqual(row["cost_microdollars"], 16)

    def test_what_only_has_a_models_path_leaves_no_such_row(self):
        self.post("/survey/responses", {"answers": [1, 2]})
        self.assertEqual(self.rows("models", table="model_calls", api="responses"), [])
