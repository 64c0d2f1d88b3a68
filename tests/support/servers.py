"""Other people's HTTP servers on loopback, in clear, as upstreams: each answers 200 to any path, keeps connections open,
and logs one line for each request it saw."""

import os
import pathlib
import socket
import subprocess

from tests.support.upstream import free_port, wait_until

APACHE = """
ServerRoot {dir}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {dir}/pid
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
DocumentRoot {dir}/root
ErrorLog {dir}/error.log
LogFormat "%r" request
CustomLog {dir}/access.log request
KeepAliveTimeout 60
MaxKeepAliveRequests 0
RewriteEngine on
RewriteRule ^ /answer [END]
"""

HAPROXY = """
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend all
  bind 127.0.0.1:{port}
  log stdout format raw local0
  log-format "%HM %HU"
  http-request return status 200 content-type text/plain string answer
"""

NGINX = """
daemon off;
pid {dir}/pid;
error_log {dir}/error.log;
events {{ }}
http {{
  log_format request '$request';
  access_log {dir}/access.log request;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 answer; }} }}
}}
"""

AS_ROOT = os.geteuid() == 0
KINDS = {
    "apache": (APACHE, ["/usr/sbin/apache2", "-X", "-f", "{config}",
                        *(["-C", "User www-data", "-C", "Group www-data"] if AS_ROOT else [])]),
    "haproxy": (HAPROXY, ["/usr/sbin/haproxy", "-db", "-f", "{config}"]),
    "nginx": (NGINX, ["/usr/sbin/nginx", "-c", "{config}", "-e", "{dir}/error.log",
                      *(["-g", "user root;"] if AS_ROOT else [])]),
}


class Server:
    """One of KINDS on self.port until closed."""

    def __init__(self, kind: str, directory: pathlib.Path):
        self.kind, self.directory, self.port = kind, directory, free_port()
        (directory / "root").mkdir(parents=True)
        (directory / "root" / "answer").write_text("answer")
        directory.chmod(0o755)
        config = directory / "config"
        text, command = KINDS[kind]
        config.write_text(text.format(dir=directory, port=self.port))
        self.log = directory / "access.log"
        self.log.touch()
        # Only haproxy says what it saw on its standard output.
        with open(self.log if kind == "haproxy" else directory / "output", "ab") as out, \
                open(directory / "output", "ab") as errors:
            self.process = subprocess.Popen([part.format(config=config, dir=directory) for part in command],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
        wait_until(self._answers, 10, kind)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.kind} ended: " + (self.directory / "output").read_text())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log_lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
