"""How much later than directly a streamed token arrives through the proxy, scanner on: on a path that nobody reads, and on
a model's, which is read for the log.   python3 -m tests.bench.first_token"""

import http.server
import json
import pathlib
import shutil
import socket
import ssl
import statistics
import tempfile
import threading
import time

from tests.support.gates import Gates
from tests.support.upstream import Upstream

NAME = "api.model.test"
ROUNDS = 400
TOKENS = 20  # of each stream, in events of their own, 2 ms apart
REQUEST = json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 9, "stream": True,
                      "messages": [{"role": "user", "content": "word " * 400}]}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Each event says when it was sent."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(TOKENS):
            time.sleep(0.002)
            event = json.dumps({"type": "content_block_delta", "index": 0, "sent": time.monotonic_ns(),
                                "delta": {"type": "text_delta", "text": "word"}})
            data = f"data: {event}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


class Client:
    def __init__(self, port: int, ca: pathlib.Path, by_proxy: bool):
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if by_proxy:
            plain.sendall(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n".encode())
            assert b" 200 " in plain.recv(4096)
        self.stream = ssl.create_default_context(cafile=str(ca)).wrap_socket(plain, server_hostname=NAME)

    def delays(self, path: str) -> list[float]:
        """Of each event of one response, in microseconds."""
        self.stream.sendall(f"POST {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {len(REQUEST)}\r\n\r\n".encode() + REQUEST)
        seen, found = b"", []
        while b"\r\n0\r\n\r\n" not in seen:
            seen += self.stream.recv(65536)
            now = time.monotonic_ns()
            while (at := seen.find(b"\n\n")) >= 0:
                found.append((now - int(seen[:at].rpartition(b'"sent": ')[2].split(b",")[0])) / 1000)
                seen = seen[at + 2:]
        return found


def report(name: str, delays: list[list[float]]) -> None:
    first = [one[0] for one in delays]
    every = sorted(one for stream in delays for one in stream)
    print(f"{name:34} first token median {statistics.median(first):6.0f} us, all tokens median "
          f"{statistics.median(every):6.0f} us, p99 {every[len(every) * 99 // 100]:6.0f} us")


def main() -> None:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    upstream = Upstream(directory / "upstream", [NAME])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(upstream.directory / "server.pem", upstream.directory / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    gates = Gates(directory / "gates", {"http": [{"id": "model", "action": "allow", "hosts": [NAME]}],
                                        "resolve": {NAME: f"127.0.0.1:{port}"}},
                  "--upstream-ca", str(upstream.ca), dlp=True)
    try:
        direct = Client(port, upstream.ca, False)
        proxied = Client(gates.port, gates.ca, True)
        ways = {"direct": (direct, "/v1/messages"), "through the proxy, not read": (proxied, "/other"),
                "through the proxy, read for the log": (proxied, "/v1/messages")}
        delays: dict[str, list[list[float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):  # in turn, so that what else the machine does falls on all of them
            for name, (client, path) in ways.items():
                delays[name].append(client.delays(path))
        for name in ways:
            report(name, delays[name])
        read = len(gates.rows("model_calls"))
        print(f"{read} of {ROUNDS} streams of a model's path are in the log")
    finally:
        gates.close()
        server.shutdown()
        upstream.close()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
