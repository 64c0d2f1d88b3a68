"""nginx as several TLS hosts on one port, each with its own way with client certificates, and a log of what each was shown."""

import os
import pathlib
import subprocess
import socket

from tests.support.upstream import free_port, wait_until

CONFIG = """
daemon off;
pid {dir}/nginx.pid;
worker_processes 1;
events {{ }}
http {{
  log_format shown '$host $request_uri $ssl_client_verify $ssl_client_s_dn';
  access_log {dir}/access.log shown;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  client_max_body_size 100m;
  default_type text/plain;
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  {more}
  {servers}
}}
"""
SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {name};
    {verify}
    location / {{ {answer} }}
  }}
"""


class TlsNginx:
    """`hosts` says for each name the CA by which it verifies clients: "" accepts any certificate and asks for one, too."""

    def __init__(self, directory: pathlib.Path, certificate: tuple[str, str], hosts: dict[str, str],
                 answer: str = 'return 200 "hello from $host\\n";', more: str = ""):
        self.directory, self.port = directory, free_port()
        directory.mkdir()
        servers = "".join(SERVER.format(port=self.port, name=name, answer=answer, verify=(
            f"ssl_verify_client on; ssl_client_certificate {ca};" if ca else "ssl_verify_client optional_no_ca;"))
            for name, ca in hosts.items())
        config = directory / "nginx.conf"
        config.write_text(CONFIG.format(dir=directory, certificate=certificate[0], key=certificate[1], servers=servers, more=more))
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(config), "-e", str(directory / "error.log"), *user])
        wait_until(self._answers, 10, "nginx")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError("nginx ended: " + (self.directory / "error.log").read_text())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def shown(self, path: str) -> list[str]:
        """Of each request for that path, once there is one: "host verdict subject" of the client's certificate."""
        log = self.directory / "access.log"
        wait_until(lambda: f" {path} " in log.read_text(), 5, f"nginx's log of {path}")
        words = [line.split(" ", 3) for line in log.read_text().splitlines()]
        return [f"{host} {verdict} {subject}" for host, uri, verdict, subject in words if uri == path]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
