"""What tests/conformance pins of the protocol's official tools, with the Node they need, from npm, installed into
build/conformance."""

import functools
import json
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile

from tests.support.house import ROOT
from tests.support.upstream import free_port

SOURCES = ROOT / "tests" / "conformance"
PACKAGES = ROOT / "build" / "conformance"
MODULES = PACKAGES / "node_modules"
NODE = MODULES / f"node-linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}" / "bin" / "node"
SUITE = MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
INSPECTOR = MODULES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"

ORDER = ["", "INFO", "SKIPPED", "SUCCESS", "WARNING", "FAILURE"]


@functools.cache
def install() -> None:
    """Once; and puts our fixtures beside them, where they can import them."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    wanted = SOURCES / "package-lock.json"
    marker = PACKAGES / "installed.json"  # written last
    if not marker.exists() or marker.read_bytes() != wanted.read_bytes():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, PACKAGES / name)
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=PACKAGES,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError("npm: " + done.stderr)
        shutil.copy(wanted, marker)
    for script in SOURCES.glob("*.mjs"):
        shutil.copy(script, PACKAGES / script.name)


def inspect(directory: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess:
    """The Inspector's command line; it keeps what it keeps in `directory`."""
    install()
    return subprocess.run([str(NODE), str(INSPECTOR), "--cli", *arguments], cwd=directory, capture_output=True, text=True,
                          timeout=120, env={"HOME": str(directory), "PATH": f"{NODE.parent}:/usr/bin:/bin"})


def scenarios(revision: str, side: str) -> list[str]:
    """Those that the suite runs for a revision at a side ("server" or "client"), scored or not."""
    said = _suite("list", "--requirements", revision).stdout
    required, _, optional = said.partition("\nRun and reported")
    listed = required.split(f"\n{side.title()} scenarios")[1].split("scenarios (")[0]
    return re.findall(r"  - (\S+)$", listed, re.M) + re.findall(rf"    - (\S+) \[{side}\]", optional)


def run_suite(side: str, *options: str) -> dict[str, dict[str, str]]:
    """Of each scenario what became of its checks: the worst of those that have one name. Of a client's single scenario
    also what the suite makes of it altogether, as "overall"."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-conformance-") as output:
        told = _suite(side, *options, "--output-dir", output)
        found: dict[str, dict[str, str]] = {}
        for file in pathlib.Path(output).glob("**/checks.json"):
            name = re.sub(r"-\d{4}-\d\d-\d\dT[-\dZ]+$", "", str(file.parent.relative_to(output)))
            checks = found.setdefault(name.removeprefix("server-") if side == "server" else name, {})
            for check in json.loads(file.read_text()):
                checks[check["id"]] = max(checks.get(check["id"], ""), check["status"], key=ORDER.index)
    if not found:
        raise RuntimeError(told.stdout + told.stderr)
    if side == "client":
        [checks] = found.values()
        checks["overall"] = "FAILURE" if told.returncode else "SUCCESS"
    return found


def _suite(*arguments: str) -> subprocess.CompletedProcess:
    install()
    return subprocess.run([str(NODE), str(SUITE), *arguments], cwd=PACKAGES, capture_output=True, text=True, timeout=300)


def run_peer(where: dict, mode: str | dict, calls: list) -> dict:
    """What tests/conformance/peer.mjs, the client of SDK 2, says."""
    install()
    done = subprocess.run([str(NODE), "peer.mjs", *(json.dumps(given) for given in (where, mode, calls))], cwd=PACKAGES,
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


class Server:
    """Our fixture over HTTP."""

    def __init__(self):
        install()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/mcp"
        self.process = subprocess.Popen([str(NODE), "server.mjs", str(port)], cwd=PACKAGES, stdout=subprocess.PIPE)
        self.process.stdout.readline()  # it says when it listens

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
