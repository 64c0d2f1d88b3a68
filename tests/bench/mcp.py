"""Calls a second through the MCP gateway over HTTP, and what it adds to one call over lines, scanner and log on; beside
the same server of tools asked directly.   python3 -m tests.bench.mcp"""

import pathlib
import shutil
import subprocess
import tempfile

from tests.support.house import BIN
from tests.support.mcp_gate import McpGate
from tests.support.upstream import wait_until

BENCH = BIN.parent / "bench"
ECHO, LOAD = str(BENCH / "mcp_echo"), str(BENCH / "mcp_load")
GATEWAY_CPU, OTHERS_CPU = 0, 1


def load(*arguments: str) -> str:
    return subprocess.run(["taskset", "-c", str(OTHERS_CPU), LOAD, *arguments], check=True, capture_output=True,
                          text=True).stdout.strip()


def processor_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-bench-"))
    gate = McpGate(directory, {"servers": {"echo": {"command": ["taskset", "-c", str(OTHERS_CPU), ECHO]}},
                               "tools": [{"id": "all", "action": "allow", "server": "echo", "tools": ["*"]}]},
                   dlp={"deny": ["credentials"]})
    try:
        for process, cpu in zip(gate.processes, (OTHERS_CPU, GATEWAY_CPU)):
            subprocess.run(["taskset", "-a", "-cp", str(cpu), str(process.pid)], check=True, capture_output=True)
        client = gate.client()
        wait_until(lambda: "result" in client.call("echo__echo", {"text": "up"}), 30, "the server")
        client.close()
        print("one at a time, server alone:  ", load("direct", ECHO, "20000"))
        print("one at a time, gateway, lines:", load("lines", gate.socket, "20000"))
        for clients in (1, 32, 1000):
            before = processor_seconds(gate.process.pid)
            told = load("http", str(gate.port), str(clients), "5")
            used = processor_seconds(gate.process.pid) - before
            calls = int(told.split()[0])
            print(f"{clients} clients, gateway, HTTP: {told}; {calls / used:.0f} a second of the gateway's processor")
        status = pathlib.Path(f"/proc/{gate.process.pid}/status").read_text()
        print("resident:", next(line.split(":")[1].strip() for line in status.splitlines() if line.startswith("VmRSS")))
    finally:
        gate.close()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
