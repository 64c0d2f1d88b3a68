"""gatehouse-mcp-gateway run by hand, with a scanner, and a client that speaks to it as an agent does."""

import http.client
import json
import pathlib
import socket
import sqlite3
import subprocess
import sys

from tests.support.house import BIN
from tests.support.upstream import free_port, wait_until

SERVER = str(pathlib.Path(__file__).with_name("mcp_server.py"))


def server(mode: str = "good", seen: pathlib.Path | None = None, flag: pathlib.Path | None = None, **more) -> dict:
    """A policy's entry for tests/support/mcp_server.py."""
    return {"command": [sys.executable, SERVER, mode, *(str(path) for path in (seen, flag) if path)], **more}


class Client:
    def __init__(self, path: str, revision: str | None = "2025-11-25"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        self.notes: list[dict] = []
        self._id = 0
        if revision:
            self.greeting = self.ask("initialize", {"protocolVersion": revision, "capabilities": {},
                                                    "clientInfo": {"name": "test", "version": "1"}})["result"]
            self.tell("notifications/initialized")

    def raw(self, text: str | bytes) -> None:
        self.socket.sendall((text.encode() if isinstance(text, str) else text) + b"\n")

    def tell(self, method: str, params: dict | None = None) -> None:
        self.raw(json.dumps({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}))

    def read(self) -> dict:
        line = self.lines.readline()
        if not line:
            raise EOFError
        return json.loads(line)

    def answer(self, id_) -> dict:
        while True:
            message = self.read()
            if "method" not in message and message.get("id") == id_:
                return message
            self.notes.append(message)

    def ask(self, method: str, params: dict | None = None, id_=None) -> dict:
        self._id += 1
        id_ = self._id if id_ is None else id_
        self.raw(json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params or {}}))
        return self.answer(id_)

    def tools(self) -> list[str]:
        names: list[str] = []
        params: dict = {}
        while True:
            result = self.ask("tools/list", params)["result"]
            names += [tool["name"] for tool in result["tools"]]
            if "nextCursor" not in result:
                return names
            params = {"cursor": result["nextCursor"]}

    def call(self, tool: str, arguments: dict | None = None, **more) -> dict:
        return self.ask("tools/call", {"name": tool, "arguments": arguments or {}, **more})

    def text(self, tool: str, arguments: dict | None = None, **more) -> str:
        return self.call(tool, arguments, **more)["result"]["content"][0]["text"]

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


class HttpClient:
    """The same over HTTP, one connection a request."""

    def __init__(self, port: int, revision: str | None = "2025-11-25", headers: dict | None = None):
        self.port, self.headers, self.session, self._id = port, headers or {}, "", 0
        if revision:
            status, headers, text = self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize",
                                               "params": {"protocolVersion": revision, "capabilities": {}}})
            self.greeting = json.loads(text)["result"]
            self.session = headers["Mcp-Session-Id"]
            self.tell("notifications/initialized")

    def begin(self, method: str, body: str | None = None, **headers) -> http.client.HTTPResponse:
        """The answer as far as its head; closing it closes the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        known = {"Mcp-Session-Id": self.session} if self.session else {}
        content = {"Content-Type": "application/json"} if body is not None else {}
        accept = {"Accept": "application/json, text/event-stream", "Connection": "close"}
        connection.request(method, "/mcp", body, {**accept, **content, **known, **self.headers, **headers})
        return connection.getresponse()

    def post(self, message: dict, **headers) -> tuple[int, http.client.HTTPMessage, str]:
        with self.begin("POST", json.dumps(message), **headers) as answer:
            return answer.status, answer.headers, answer.read().decode()

    def tell(self, method: str, params: dict | None = None) -> None:
        status, _, text = self.post({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})
        assert (status, text) == (202, ""), (status, text)

    def ask(self, method: str, params: dict | None = None) -> dict:
        self._id += 1
        status, headers, text = self.post({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}})
        assert status == 200, (status, text)
        return json.loads(text) if headers["Content-Type"] == "application/json" else events(text)[-1][1]

    def call(self, tool: str, arguments: dict | None = None, **more) -> dict:
        return self.ask("tools/call", {"name": tool, "arguments": arguments or {}, **more})


def events(text: str) -> list[tuple[str, dict | None]]:
    """Of a stream: the id and the message of each."""
    found = []
    for event in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields["id"], json.loads(fields["data"]) if fields["data"] else None))
    return found


class McpGate:
    def __init__(self, directory: pathlib.Path, mcp: dict, secrets: dict | None = None,
                 pins: pathlib.Path | None = None, options: tuple[str, ...] = (), **policy):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.policy = directory / "policy.json"
        known = {name: {"from": f"env:{name}"} for name in secrets or {}}
        self.policy.write_text(json.dumps({"version": 1, "name": "test", "mcp": mcp, "secrets": known, **policy}))
        self.socket = str(directory / "mcp.sock")
        self.port = free_port()  # of HTTP
        self.audit = directory / "audit.db"
        self.options = options
        self.pins = pins or directory / "mcp-pins"
        for folder in (self.pins.parent.parent, self.pins.parent):
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.processes: list[subprocess.Popen] = []
        try:
            self._start_all(secrets or {})
        except BaseException:
            self.close()
            raise

    def _start_all(self, secrets: dict) -> None:
        dlp = str(self.directory / "dlp.sock")
        values = self._private("dlp.json", {"secrets": [{"name": name, "value": value}
                                                        for name, value in secrets.items()]})
        self._start("gatehouse-dlp", "--listen", f"unix:{dlp}", "--cache", str(self.directory / "cache"), "--secrets", values)
        wait_until(lambda: self._accepts(dlp), 30, "gatehouse-dlp")
        self._start_gateway(dlp, self._private("servers.json", secrets))

    def _start_gateway(self, dlp: str, given: str) -> None:
        self.process = self._start("gatehouse-mcp-gateway", "--listen", f"unix:{self.socket}",
                                   "--listen", f"tcp:127.0.0.1:{self.port}", "--dlp", f"unix:{dlp}",
                                   "--audit", str(self.audit), "--pins", str(self.pins),
                                   "--work", str(self.directory / "work"), "--secrets", given, *self.options)
        wait_until(lambda: self._accepts(self.socket), 30, "gatehouse-mcp-gateway")

    def crash(self) -> None:
        """Kills the gateway, and starts another one as the supervisor does."""
        self.process.kill()
        self.restart()

    def restart(self) -> None:
        """Ends the gateway in good order, and starts another one."""
        self.processes.remove(self.process)
        self.process.terminate()
        self.process.wait(20)
        self._start_gateway(str(self.directory / "dlp.sock"), str(self.directory / "servers.json"))

    def _private(self, name: str, value: dict) -> str:
        file = self.directory / name
        file.touch(0o600)
        file.write_text(json.dumps(value))
        return str(file)

    def _start(self, binary: str, *options: str) -> subprocess.Popen:
        with open(self.directory / f"{binary}.log", "ab") as log:
            process = subprocess.Popen([str(BIN / binary), "--policy", str(self.policy), "--session", "test", *options],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def _accepts(self, path: str) -> bool:
        for process in self.processes:
            if process.poll() is not None:
                raise RuntimeError("a gate ended: " + self.log())
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(path) == 0

    def client(self, revision: str | None = "2025-11-25") -> Client:
        return Client(self.socket, revision)

    def log(self) -> str:
        return "".join(file.read_text(errors="replace") for file in self.directory.glob("*.log"))

    def rows(self, table: str = "mcp_calls", **wanted) -> list[dict]:
        log = sqlite3.connect(f"file:{self.audit}?mode=ro", uri=True)
        try:
            log.row_factory = sqlite3.Row
            rows = [dict(row) for row in log.execute(f"select * from {table} order by seq")]
        finally:
            log.close()
        return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(20)
