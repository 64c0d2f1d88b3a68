"""A server of tools over HTTP and TLS, of either era, good or hostile as its `mode` says."""

import base64
import itertools
import json
import time

from tests.support.tls_server import Asked, TlsServer

MODERN = "2026-07-28"
TOOL = {"name": "echo", "description": "Says it again.",
        "inputSchema": {"type": "object",
                        "properties": {"text": {}, "place": {"type": "string", "x-mcp-header": "Place"}}}}
HEADER_MISMATCH = -32020


def mirrored(value: str) -> str:
    """What a field stands for."""
    if value.startswith("=?base64?") and value.endswith("?="):
        return base64.b64decode(value[9:-2], validate=True).decode()
    return value


class Endless:
    """Pieces of an answer that goes on until nobody takes it any more, which is told."""

    def __init__(self, gone):
        self.gone = gone

    def __len__(self):
        return 2

    def __iter__(self):
        try:
            while True:
                yield b": alive\n\n"
                time.sleep(0.02)
        finally:
            self.gone()


class HttpTools(TlsServer):
    """`asked` has every request; `mode` changes what the next calls are answered with."""

    def __init__(self, certificate: tuple[str, str], modern: bool = False):
        self.mode = "json"
        self.modern = modern
        self.sessions: set[str] = set()
        self.gone = 0  # calls that nobody waits for any more
        self._numbers = itertools.count(1)
        self._later: dict[str, dict] = {}  # answers that wait to be resumed, by the event before
        super().__init__(certificate)
        self.answer = self.speak_modern if modern else self.speak

    def calls(self) -> list[dict]:
        return [json.loads(asked.body)["params"] for asked in self.asked if b'"tools/call"' in asked.body]

    def speak(self, asked: Asked):
        session = asked.headers.get("mcp-session-id")
        if asked.method == "DELETE":
            self.sessions.discard(session)
            return 204, {}, [b""]
        if asked.method == "GET":
            answer = self._later.pop(asked.headers.get("last-event-id"), None)
            return (200, {"Content-Type": "text/event-stream"}, [b"id: 2\ndata: ", answer, b"\n\n"]) if answer else (405, {}, [b""])
        message = json.loads(asked.body)
        method = message["method"]
        if method == "initialize":
            session = f"session-{next(self._numbers)}"
            self.sessions.add(session)
            return self.say(message, {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                                      "serverInfo": {"name": "t", "version": "1"}}, {"Mcp-Session-Id": session})
        if session not in self.sessions:
            return 404, {}, [b""]
        if "id" not in message:
            return 202, {}, [b""]
        return self.serve_request(asked, message)

    def speak_modern(self, asked: Asked):
        if asked.method != "POST":
            return 405, {}, [b""]
        message = json.loads(asked.body)
        method, params = message["method"], message.get("params", {})
        meta = params.get("_meta", {})
        mirrors = {"mcp-protocol-version": meta.get("io.modelcontextprotocol/protocolVersion"), "mcp-method": method}
        if method == "tools/call":
            mirrors["mcp-name"] = params["name"]
            mirrors["mcp-param-place"] = params["arguments"].get("place", "")
        for field, value in mirrors.items():
            if mirrored(asked.headers.get(field, "")) != value:
                return self.refuse(message, 400, HEADER_MISMATCH, f"{field} is not {value}")
        if method == "server/discover":
            return self.say(message, {"resultType": "complete", "supportedVersions": [MODERN], "capabilities": {"tools": {}},
                                      "ttlMs": 0, "cacheScope": "private"})
        return self.serve_request(asked, message)

    def serve_request(self, asked: Asked, message: dict):
        if message["method"] == "tools/list":
            return self.say(message, {"tools": [TOOL], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})
        if message["method"] != "tools/call":
            return self.refuse(message, 404, -32601, "no such method")
        if self.mode == "redirect":
            return 307, {"Location": f"https://other.demo.test:{self.port}/mcp"}, [b""]
        if self.mode == "unauthorized":
            return 401, {"WWW-Authenticate": 'Bearer resource_metadata="https://evil.example/meta"'}, [b"evil"]
        if self.mode == "page":
            return 200, {"Content-Type": "text/html"}, [b"<p>hello"]
        if self.mode == "never":
            return 200, {"Content-Type": "text/event-stream"}, Endless(self.leave)
        if self.mode == "error":
            return self.refuse(message, 400, -32602, "no such text")
        text = message["params"]["arguments"].get("text", "")
        if self.mode == "mirror":  # what it was sent, the credential too
            text = json.dumps(asked.headers)
        return self.say(message, {"content": [{"type": "text", "text": f"echo: {text}"}], "resultType": "complete"})

    def leave(self):
        self.gone += 1

    def refuse(self, message: dict, status: int, code: int, words: str):
        answer = {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": code, "message": words}}
        return status, {"Content-Type": "application/json"}, [json.dumps(answer).encode()]

    def say(self, message: dict, result: dict, headers: dict | None = None):
        answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        events = {"Content-Type": "text/event-stream", **(headers or {})}
        if self.mode == "events":
            return 200, events, [b": hello\n\n", b"event: message\nid: 1\ndata: ", answer[:20], answer[20:], b"\n\n"]
        if self.mode == "resumed":
            event = f"event-{next(self._numbers)}"
            self._later[event] = answer
            return 200, events, [f"id: {event}\nretry: 10\ndata:\n\n".encode(), b": until then\n\n"]
        return 200, {"Content-Type": "application/json", **(headers or {})}, [answer]
