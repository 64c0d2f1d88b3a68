"""A real upstream on loopback: nginx with TLS under a private CA made on the spot."""

import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.request

NGINX = """
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  log_format requests '$host $request_method $uri $status $request_length';
  access_log {dir}/access.log requests;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  client_max_body_size 1g;
  keepalive_requests 1000000;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{tls} ssl{http2};
    listen 127.0.0.1:{plain};
    server_name {names};
    ssl_certificate {dir}/server.pem;
    ssl_certificate_key {dir}/server.key;
    location = /protocol {{ return 200 "$server_protocol\\n"; }}
    location = /created {{ return 201 "created\\n"; }}
    location /files/ {{ alias {dir}/files/; }}
    {locations}
    location / {{ return 200 "hello from $host$uri\\n"; }}
  }}
  server {{
    listen 127.0.0.1:{status};
    access_log off;
    location / {{ stub_status; }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def wait_until(condition, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


class Upstream:
    """Serves every name in `names` over TLS (self.tls) and in clear (self.plain) until closed."""

    def __init__(self, directory: pathlib.Path, names: list[str], http2: bool = False, locations: str = ""):
        self.directory = directory
        self.names = names
        self.tls, self.plain, self.status = free_port(), free_port(), free_port()
        self.ca = directory / "ca.pem"
        (directory / "files").mkdir(parents=True, exist_ok=True)
        self._own_connections = 1  # the one of _answers()
        self._make_certificates()
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(dir=directory, names=" ".join(names), tls=self.tls, plain=self.plain,
                                       http2=" http2" if http2 else "", locations=locations,
                                       status=self.status))
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(config), "-e", str(directory / "error.log"), *user])
        wait_until(self._answers, 10, "nginx")

    def _make_certificates(self) -> None:
        at = self.directory
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=private upstream CA", "-keyout", f"{at}/ca.key", "-out", f"{at}/ca.pem",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=upstream",
                "-keyout", f"{at}/server.key", "-out", f"{at}/server.csr")
        (at / "san").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in self.names))
        openssl("x509", "-req", "-in", f"{at}/server.csr", "-CA", f"{at}/ca.pem", "-CAkey", f"{at}/ca.key", "-days", "2",
                "-CAcreateserial", "-extfile", f"{at}/san", "-out", f"{at}/server.pem")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError("nginx ended: " + (self.directory / "error.log").read_text())
        try:
            with socket.create_connection(("127.0.0.1", self.status), 1):
                return True
        except OSError:
            return False

    def requests(self) -> list[str]:
        """What has been asked for until now, in order: "host METHOD /path STATUS bytes"."""
        # nginx logs a request a moment after it has answered it; its one worker takes them in turn.
        self._own_connections += 1
        mark = f"/mark/{self._own_connections} "
        with urllib.request.urlopen(f"http://127.0.0.1:{self.plain}{mark.strip()}", timeout=5):
            pass
        log = self.directory / "access.log"
        wait_until(lambda: mark in log.read_text(), 5, "nginx's log")
        return [line for line in log.read_text().splitlines() if "/mark/" not in line]

    def connections(self) -> int:
        """How many connections this upstream has ever accepted, our own left out."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status}/", timeout=5) as answer:
            accepted = int(re.search(r"^ (\d+)", answer.read().decode(), re.M).group(1))
        self._own_connections += 1
        return accepted - self._own_connections

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
