"""A real git server: `git http-backend` behind nginx with TLS."""

import http.server
import os
import pathlib
import subprocess
import threading

from tests.support.upstream import Upstream

BACKEND = "/usr/lib/git-core/git-http-backend"
LOCATION = ("location /git/ {{ proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; "
            "proxy_buffering off; client_max_body_size 1g; }}")
# No configuration of whoever runs the tests.
ENVIRONMENT = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
               "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@demo.test", "GIT_COMMITTER_NAME": "Ada",
               "GIT_COMMITTER_EMAIL": "ada@demo.test", "LC_ALL": "C"}


class Backend(http.server.BaseHTTPRequestHandler):
    """CGI (RFC 3875) to git http-backend."""

    protocol_version = "HTTP/1.1"

    def serve(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), len(body)))
        environment = {**ENVIRONMENT, "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1",
                       "PATH_INFO": path.removeprefix("/git"), "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                       "REMOTE_USER": "agent", "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                       "CONTENT_LENGTH": str(len(body))}
        for name, variable in (("Content-Encoding", "HTTP_CONTENT_ENCODING"), ("Git-Protocol", "GIT_PROTOCOL")):
            if name in self.headers and not (name == "Git-Protocol" and self.server.version == 0):
                environment[variable] = self.headers[name]
        done = subprocess.run([BACKEND], input=body, env=environment, capture_output=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        self.send_response(status)
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = serve

    def log_message(self, *_):
        pass


class GitUpstream(Upstream):
    """Repositories below self.root, served at https://NAME/git/... until closed."""

    def __init__(self, directory: pathlib.Path, names: list[str], http2: bool = False, backend=Backend):
        directory.mkdir(parents=True, exist_ok=True)
        self.root = directory / "repositories"
        self.root.mkdir()
        self.backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), backend)
        self.backend.root, self.backend.asked = self.root, []
        self.backend.version = 2  # of git's protocol; 0: it takes no notice of what is asked for
        self.backend.closing = threading.Event()  # for who waits for nothing else
        threading.Thread(target=self.backend.serve_forever, daemon=True).start()
        super().__init__(directory, names, http2, LOCATION.format(port=self.backend.server_port))

    def make(self, name: str, *options: str) -> pathlib.Path:
        """A bare repository that takes every push."""
        repository = self.root / f"{name}.git"
        git("init", "-q", "--bare", "-b", "main", *options, str(repository))
        for setting in ("http.receivepack true", "receive.advertisePushOptions true", "receive.denyDeleteCurrent false"):
            git("-C", str(repository), "config", *setting.split())
        return repository

    def pushes(self) -> int:
        """How many requests there have been that carry a push."""
        return sum(method == "POST" and path.endswith("/git-receive-pack") for method, path, *_ in self.backend.asked)

    def close(self) -> None:
        self.backend.closing.set()
        super().close()
        self.backend.shutdown()
        self.backend.server_close()


def git(*arguments: str, check: bool = True, env: dict | None = None, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, env={**ENVIRONMENT, **(env or {})}, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr}")
    return done
