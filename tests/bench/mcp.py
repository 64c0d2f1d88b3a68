"""Calls through the MCP gateway, scanner and log on, beside the same server of tools asked directly: one after the other
over lines, with all on one core and spread over two; many at once over HTTP; and with a server that is spoken to over HTTP
and TLS.   python3 -m tests.bench.mcp"""

import contextlib
import pathlib
import shutil
import subprocess
import tempfile

from tests.support.gates import Gates
from tests.support.house import BIN
from tests.support.mcp_gate import McpGate
from tests.support.tls_nginx import TlsNginx
from tests.support.tls_server import Authority
from tests.support.upstream import free_port, wait_until

BENCH = BIN.parent / "bench"
ECHO, LOAD = str(BENCH / "mcp_echo"), str(BENCH / "mcp_load")
GATEWAY_CPU, OTHERS_CPU = "0", "1"
HOST = "tools.demo.test"
TOOLS = [{"id": "all", "action": "allow", "server": "echo", "tools": ["*"]}]


def load(cpus: str, *arguments: str) -> str:
    return subprocess.run(["taskset", "-c", cpus, LOAD, *arguments], check=True, capture_output=True,
                          text=True).stdout.strip()


def pin(cpus: str, *pids: int) -> None:
    for pid in pids:
        subprocess.run(["taskset", "-a", "-cp", cpus, str(pid)], check=True, capture_output=True)


def processor_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextlib.contextmanager
def gateway(directory: pathlib.Path, server: dict, gateway_cpus: str, other_cpus: str, **more):
    gate = McpGate(directory, {"servers": {"echo": server}, "tools": TOOLS}, dlp={"deny": ["credentials"]}, **more)
    try:
        pin(other_cpus, gate.processes[0].pid)
        pin(gateway_cpus, gate.process.pid)
        client = gate.client()
        wait_until(lambda: "result" in client.call("echo__echo", {"text": "up"}), 30, "the server")
        client.close()
        yield gate
    finally:
        gate.close()


def lines(directory: pathlib.Path) -> None:
    for where, cpus in (("one core", GATEWAY_CPU), ("two cores", f"{GATEWAY_CPU},{OTHERS_CPU}")):
        with gateway(directory / where, {"command": ["taskset", "-c", cpus, ECHO]}, cpus, cpus) as gate:
            print(f"one at a time, {where}, server alone:  ", load(cpus, "direct", ECHO, "20000"))
            print(f"one at a time, {where}, gateway, lines:", load(cpus, "lines", gate.socket, "20000"))


def many(directory: pathlib.Path) -> None:
    server = {"command": ["taskset", "-c", OTHERS_CPU, ECHO]}
    with gateway(directory / "many", server, GATEWAY_CPU, OTHERS_CPU) as gate:
        for clients in (1, 32, 1000):
            before = processor_seconds(gate.process.pid)
            told = load(OTHERS_CPU, "http", str(gate.port), str(clients), "5")
            used = processor_seconds(gate.process.pid) - before
            calls = int(told.split()[0])
            print(f"{clients} clients, gateway, HTTP: {told}; {calls / used:.0f} a second of the gateway's processor")
        status = pathlib.Path(f"/proc/{gate.process.pid}/status").read_text()
        print("resident:", next(line.split(":")[1].strip() for line in status.splitlines() if line.startswith("VmRSS")))


def by_url(directory: pathlib.Path) -> None:
    """The gateway and the proxy by which it reaches the server on one core; nginx, which does the server's TLS, the
    server, the scanner and the clients on the other."""
    port = free_port()
    authority = Authority(directory / "ca")
    with contextlib.ExitStack() as stack:
        echo = subprocess.Popen(["taskset", "-c", OTHERS_CPU, ECHO, str(port)])
        stack.callback(echo.wait)
        stack.callback(echo.terminate)
        nginx = TlsNginx(directory / "nginx", authority.issue("server", HOST), {HOST: ""},
                         'proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection "";',
                         f"upstream echo {{ server 127.0.0.1:{port}; keepalive 64; }}")
        stack.callback(nginx.close)
        server, resolve = {"url": f"https://{HOST}/mcp"}, {HOST: f"127.0.0.1:{nginx.port}"}
        egress = f"unix:{directory / 'tools.sock'}"
        proxy = Gates(directory / "proxy", {"mcp": {"servers": {"echo": server}}, "resolve": resolve}, "--tools", egress,
                      "--upstream-ca", str(authority.certificate))
        stack.callback(proxy.close)
        pin(GATEWAY_CPU, proxy.processes["gatehouse-proxy"].pid)
        gate = stack.enter_context(gateway(directory / "url", server, GATEWAY_CPU, OTHERS_CPU, options=("--proxy", egress),
                                           resolve=resolve))
        for clients in (1, 32):
            print(f"{clients} clients, server alone, HTTP without TLS:",
                  load(OTHERS_CPU, "http", str(port), str(clients), "5", "echo"))
            print(f"{clients} clients, gateway, server over HTTP and TLS:",
                  load(OTHERS_CPU, "http", str(gate.port), str(clients), "5"))


def main() -> None:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-bench-"))
    try:
        lines(directory)
        many(directory)
        by_url(directory)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
