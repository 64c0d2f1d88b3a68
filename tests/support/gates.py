"""Gates run by hand, without a machine: proxy, DNS gate and scanner on sockets of a test's own."""

import json
import pathlib
import socket
import sqlite3
import ssl
import struct
import subprocess

from tests.support.house import BIN
from tests.support.upstream import free_port, wait_until


class Gates:
    """A proxy on a TCP port (self.port, explicit) and a Unix socket (self.transparent), with a DNS gate and a scanner if
    wanted. `secrets` is what the scanner is to know: {"secrets": [{"name": "TOKEN", "value": "..."}], "canaries": ...}."""

    def __init__(self, directory: pathlib.Path, policy: dict, *options: str, dns: bool = False, dlp: bool = False,
                 secrets: dict | None = None, git: bool = False):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.policy = directory / "policy.json"
        self.policy.write_text(json.dumps({"version": 1, "name": "test", **policy}))
        self.audit = directory / "audit.db"
        self.ca = directory / "ca.pem"
        self.transparent = str(directory / "proxy.sock")
        self.dns_socket = str(directory / "dns.sock")
        self.dlp_socket = str(directory / "dlp.sock")
        self.git_socket = str(directory / "git.sock")
        self.secrets = secrets
        self.port = free_port()
        self.options = list(options)
        self.processes: dict[str, subprocess.Popen] = {}
        try:
            self._start_all(dns, dlp, git)
        except Exception:
            self.close()
            raise

    def _start_all(self, dns: bool, dlp: bool, git: bool) -> None:
        if dns:
            self.options += ["--dns", f"unix:{self.dns_socket}"]
            self.start("gatehouse-dns", "--listen", f"unix:{self.dns_socket}")
            wait_until(lambda: self._accepts(self.dns_socket), 20, "gatehouse-dns")
        if dlp:
            self.options += ["--dlp", f"unix:{self.dlp_socket}"]
            self.start_dlp()
        if git:
            self.options += ["--git-gate", f"unix:{self.git_socket}"]
            self.start_git_gate()
        self.start_proxy()

    def start_git_gate(self) -> None:
        self.start("gatehouse-git-gate", "--listen", f"unix:{self.git_socket}", "--dlp", f"unix:{self.dlp_socket}",
                   "--quarantine", str(self.directory / "quarantine"), audit=False)
        wait_until(lambda: self._accepts(self.git_socket), 20, "gatehouse-git-gate")

    def start_dlp(self) -> None:
        known = []
        if self.secrets is not None:
            file = self.directory / "secrets.json"
            file.touch(0o600)
            file.write_text(json.dumps(self.secrets))
            known = ["--secrets", str(file)]
        self.start("gatehouse-dlp", "--listen", f"unix:{self.dlp_socket}", "--cache", str(self.directory / "cache"), *known,
                   audit=False)
        wait_until(lambda: self._accepts(self.dlp_socket), 20, "gatehouse-dlp")

    def start_proxy(self) -> None:
        self.start("gatehouse-proxy", "--listen", f"tcp:127.0.0.1:{self.port}", "--listen", f"unix:{self.transparent}",
                   "--ca-cert-out", str(self.ca), *self.options)
        # The port is bound before the certificate is written.
        wait_until(lambda: self._accepts(("127.0.0.1", self.port)) and self.ca.exists(), 20, "gatehouse-proxy")

    def start(self, binary: str, *options: str, audit: bool = True) -> None:
        log = open(self.directory / f"{binary}.log", "ab")
        self.processes[binary] = subprocess.Popen(
            [str(BIN / binary), "--policy", str(self.policy), *(["--audit", str(self.audit)] if audit else []),
             "--session", "test", *options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()

    def _accepts(self, address) -> bool:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended: " + (self.directory / f"{name}.log").read_text())
        with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
            return probe.connect_ex(address) == 0

    def rows(self, table: str = "net_events", **wanted) -> list[dict]:
        """Committed rows in which every wanted column has that value."""
        log = sqlite3.connect(f"file:{self.audit}?mode=ro", uri=True)
        try:
            log.row_factory = sqlite3.Row
            rows = [dict(row) for row in log.execute(f"select * from {table} order by seq")]
        finally:
            log.close()
        return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]

    def curl(self, url: str, *options: str) -> tuple[int, str]:
        """Status and body (or curl's error) through the explicit port."""
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "--proxy", f"http://127.0.0.1:{self.port}",
                               "--cacert", str(self.ca), "-w", "\n%{http_code}", *options, url],
                              capture_output=True, text=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body + done.stderr

    def name(self, host: str) -> str:
        """Asks the DNS gate for the pool address of `host`."""
        question = b"".join(bytes([len(label)]) + label.encode() for label in host.split(".")) + b"\0\0\x01\0\x01"
        message = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0" + question
        with socket.socket(socket.AF_UNIX) as dns:
            dns.connect(self.dns_socket)
            dns.sendall(struct.pack(">H", len(message)) + message)
            answer = dns.recv(4096)[2:]
        if answer[3] & 15 or not answer[7]:
            raise LookupError(host)
        start = len(message) + 12
        return socket.inet_ntoa(answer[start:start + 4])

    def dial(self, address: str, port: int) -> socket.socket:
        """As the relay does it: the transparent socket, after a PROXY v2 header."""
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(20)
        stream.connect(self.transparent)
        stream.sendall(proxy_v2(address, port))
        return stream

    def dial_tls(self, address: str, port: int, sni: str | None, verify: bool = True) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.ca))
        if not verify or sni is None:
            context.check_hostname = False
        if not verify:
            context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(self.dial(address, port), server_hostname=sni)

    def pid(self, binary: str) -> int:
        return self.processes[binary].pid

    def close(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait()


def proxy_v2(address: str, port: int) -> bytes:
    six = ":" in address
    family = socket.AF_INET6 if six else socket.AF_INET
    addresses = socket.inet_pton(family, "::1" if six else "127.0.0.1") + socket.inet_pton(family, address)
    body = addresses + struct.pack(">HH", 40000, port)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x21 if six else 0x11]) + struct.pack(">H", len(body)) + body


def ask(stream: socket.socket, request: bytes) -> bytes:
    """Sends, and reads until the other side ends or a whole response with Content-Length is there."""
    stream.sendall(request)
    answer = b""
    while True:
        head, _, body = answer.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:") and b"\r\n\r\n" in answer and len(body) >= int(line[15:]):
                return answer
        try:
            more = stream.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return answer
        if not more:
            return answer
        answer += more
