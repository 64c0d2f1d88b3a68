"""squid as a company's proxy: CONNECT for those who give user and password, names from a hosts file of its own."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from tests.support.upstream import free_port, wait_until

CONFIG = """
http_port 127.0.0.1:{port}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {dir}/users
auth_param basic children 1 startup=1 idle=1
auth_param basic realm company
acl known proxy_auth REQUIRED
acl refused dstdomain {refused}
http_access deny !known
http_access deny refused
http_access allow CONNECT
http_access deny all
hosts_file {dir}/hosts
cache deny all
access_log stdio:{dir}/access.log
cache_log {dir}/cache.log
coredump_dir {dir}
pid_filename {dir}/pid
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
"""


class Squid:
    """Every name in `names` is 127.0.0.1 to it; those in `refused` it does not serve."""

    def __init__(self, credential: str, names: list[str], refused: str):
        # squid reads and writes as a user of its own.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-squid-"))
        self.directory.chmod(0o777)
        self.port = free_port()
        user, _, password = credential.partition(":")
        digest = subprocess.run(["openssl", "passwd", "-apr1", password], check=True, capture_output=True, text=True).stdout
        for name, text in {"users": f"{user}:{digest}", "hosts": "".join(f"127.0.0.1 {name}\n" for name in names),
                           "squid.conf": CONFIG.format(port=self.port, dir=self.directory, refused=refused)}.items():
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o644)
        with open(self.directory / "output", "wb") as out:
            self.process = subprocess.Popen(["/usr/sbin/squid", "-N", "-f", str(self.directory / "squid.conf")],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_until(self._answers, 20, "squid")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError("squid ended: " + (self.directory / "output").read_text())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def asked(self, target: str) -> list[str]:
        """What it made of each request for "host:port", and who asked: "TCP_TUNNEL/200 bot"; once there is one."""
        log = self.directory / "access.log"
        wait_until(lambda: log.exists() and f" {target} " in log.read_text(), 10, f"squid's log of {target}")
        lines = [line.split() for line in log.read_text().splitlines()]
        return [f"{words[3]} {words[7]}" for words in lines if words[6] == target]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
