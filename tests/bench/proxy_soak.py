"""A million requests through the proxy, scanner and audit on, by HTTP/1.1 and HTTP/2, with connections that come and go:
memory and descriptors must stay flat, and every request has its rows. Then 2,000 connections at once, and one worker
beside two: how many requests they serve, and what one takes of the processor.

    python3 -m tests.bench.proxy_soak [--requests N]
"""

import argparse
import asyncio
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

from tests.support.gates import Gates
from tests.support.upstream import Upstream, wait_until

HOST = "soak.demo.test"
RELAY = "127.0.0.2"  # port 443, which goes along
ROUND = {"keep-alive": 20_000, "one connection each": 1_000, "HTTP/2": 29_000}
SETTLED = 5  # rounds after which caches are full
GROWTH = 1.10  # of memory from there on; more is a leak
OPEN = 2_000
SCALING = 20_000


class House:
    """Gates and an upstream, with a relay that says like the guest's where a connection was to go."""

    def __init__(self, directory: pathlib.Path, *options: str):
        self.upstream = Upstream(directory / "upstream", [HOST])
        policy = {"http": [{"id": "soak", "action": "allow", "hosts": [HOST]}],
                  "resolve": {HOST: f"127.0.0.1:{self.upstream.tls}"}}
        self.gates = Gates(directory / "gates", policy, "--upstream-ca", str(self.upstream.ca), *options, dlp=True)
        configuration = directory / "relay.conf"
        configuration.write_text("global\n  maxconn 8192\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 120s\n"
                                 f"  timeout server 120s\nlisten relay\n  bind {RELAY}:443\n"
                                 f"  server proxy unix@{self.gates.transparent} send-proxy-v2\n")
        self.relay = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-q", "-f", str(configuration)])
        wait_until(self.relays, 20, "the relay")

    @staticmethod
    def relays() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((RELAY, 443)) == 0

    def close(self) -> None:
        self.relay.terminate()
        self.relay.wait()
        self.gates.close()
        self.upstream.close()

    def hey(self, requests: int, *options: str) -> None:
        report = subprocess.run(["hey", "-n", str(requests), "-c", "32", "-host", HOST, *options, "-x",
                                 f"http://127.0.0.1:{self.gates.port}", f"https://{HOST}/soak"],
                                capture_output=True, text=True, check=True).stdout
        good = re.search(r"\[200\]\s+(\d+) responses", report)
        if good is None or int(good[1]) != requests // 32 * 32:
            sys.exit(f"hey saw failures:\n{report}")

    def h2load(self, requests: int) -> None:
        report = subprocess.run(["h2load", "-n", str(requests), "-c", "8", "-m", "8", f"--connect-to={RELAY}:443",
                                 f"https://{HOST}/soak"], capture_output=True, text=True, check=True).stdout
        if f"{requests} succeeded, 0 failed, 0 errored" not in report:
            sys.exit(f"h2load saw failures:\n{report}")

    def resident(self, gate: str) -> float:
        status = pathlib.Path(f"/proc/{self.gates.pid(gate)}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def descriptors(self, gate: str) -> int:
        return len(os.listdir(f"/proc/{self.gates.pid(gate)}/fd"))

    def processor_time(self, gate: str) -> float:
        """Seconds, of all its threads, in user and kernel."""
        fields = pathlib.Path(f"/proc/{self.gates.pid(gate)}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def count(self, table: str) -> int:
        log = sqlite3.connect(f"file:{self.gates.audit}?mode=ro", uri=True)
        try:
            where = " where verdict = 'allow'" if table == "net_events" else ""
            return log.execute(f"select count(*) from {table}{where}").fetchone()[0]
        finally:
            log.close()


def soak(house: House, requests: int) -> None:
    gates = ["gatehouse-proxy", "gatehouse-dlp"]
    begun, asked, settled, rounds = time.monotonic(), 0, None, 0
    print(f"{'requests':>10} {'a second':>9}  " + "  ".join(f"{gate}: MiB, descriptors" for gate in gates))
    while asked < requests:
        house.hey(ROUND["keep-alive"])
        house.hey(ROUND["one connection each"], "-disable-keepalive")
        house.h2load(ROUND["HTTP/2"])
        asked += ROUND["keep-alive"] // 32 * 32 + ROUND["one connection each"] // 32 * 32 + ROUND["HTTP/2"]
        rounds += 1
        now = [(house.resident(gate), house.descriptors(gate)) for gate in gates]
        if rounds <= SETTLED:
            settled = now
        if rounds <= SETTLED or rounds % 5 == 0 or asked >= requests:
            print(f"{asked:>10} {asked / (time.monotonic() - begun):>9.0f}  " +
                  "  ".join(f"{mib:>21.1f}, {count:>10}" for mib, count in now), flush=True)
    wait_until(lambda: house.count("net_results") >= asked, 60, "the last result's row")
    events, results = house.count("net_events"), house.count("net_results")
    print(f"requests {asked}, rows of verdicts {events}, of results {results}")
    if (events, results) != (asked, asked):
        sys.exit("rows and requests differ")
    for gate, (mib, descriptors), (before, had) in zip(gates, now, settled):
        if mib > before * GROWTH or descriptors > had + 64:
            sys.exit(f"{gate} grew: {before:.1f} to {mib:.1f} MiB, {had} to {descriptors} descriptors")


async def hold_open(house: House, count: int) -> float:
    """Resident memory of the proxy, in MiB, while so many connections that have had one answer each stay open."""
    trust = ssl.create_default_context(cafile=str(house.gates.ca))
    turns = asyncio.Semaphore(32)

    async def one():
        async with turns:
            reader, writer = await asyncio.open_connection(RELAY, 443, ssl=trust, server_hostname=HOST)
            writer.write(f"GET /open HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head, head
            return reader, writer

    held = await asyncio.gather(*(one() for _ in range(count)))
    mib = house.resident("gatehouse-proxy")
    for _, writer in held:
        writer.transport.abort()
    return mib


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--requests", type=int, default=1_000_000)
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if not asked.inside:  # a network of its own, in which port 443 is free
        rights = [] if os.geteuid() == 0 else ["--map-current-user", "--user", "--keep-caps"]
        os.execvp("unshare", ["unshare", "--net", *rights, sys.executable, "-m", "tests.bench.proxy_soak", "--inside",
                              "--requests", str(asked.requests)])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    print(f"(load average before: {os.getloadavg()[0]:.2f})")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-soak-"))
    try:
        house = House(directory / "soak")
        try:
            rest = house.resident("gatehouse-proxy")
            mib = asyncio.run(hold_open(house, OPEN))
            print(f"{OPEN} open connections: {mib:.1f} MiB, {rest:.1f} at rest")
            wait_until(lambda: house.count("net_results") == OPEN, 60, "their rows")
        finally:
            house.close()
        shutil.rmtree(directory / "soak")
        house = House(directory / "soak")
        try:
            soak(house, asked.requests)
        finally:
            house.close()
        for workers in (1, 2):
            house = House(directory / f"workers-{workers}", "--workers", str(workers))
            try:
                house.hey(SCALING // 4)
                begun, spent = time.monotonic(), house.processor_time("gatehouse-proxy")
                house.hey(SCALING)
                print(f"--workers {workers}: {SCALING / (time.monotonic() - begun):.0f} requests/s, scanned, load, upstream and "
                      f"gates on {os.cpu_count()} cores together; of the proxy's processor time "
                      f"{(house.processor_time('gatehouse-proxy') - spent) / SCALING * 1e6:.0f} µs each")
            finally:
                house.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
