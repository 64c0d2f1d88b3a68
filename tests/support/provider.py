"""A model provider of the test's own: real TLS, HTTP/1.1, answers scripted by path, streams that wait until told."""

import http.server
import ssl
import threading

from tests.support.upstream import Upstream


class Provider:
    """Answers with what `answers` maps a path to: (content type, pieces). Where a piece is None the stream waits until
    somebody asks for /go. Uses the certificate of `upstream`."""

    def __init__(self, upstream: Upstream, answers: dict[str, tuple[str, list[bytes | None]]],
                 headers: dict[str, dict[str, str]] | None = None):
        self.requests: list[tuple[str, bytes]] = []
        go = threading.Event()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                go.set()
                self.send_response(204)
                self.end_headers()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                provider.requests.append((self.path, body))
                content_type, pieces = answers[self.path]
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                for name, value in (headers or {}).get(self.path, {}).items():
                    self.send_header(name, value)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in pieces:
                    if piece is None:
                        go.wait(30)
                        go.clear()
                        continue
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(upstream.directory / "server.pem", upstream.directory / "server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
