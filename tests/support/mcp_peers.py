"""Official peers of the protocol, from npm, as tests/mcp/package.json pins them; installed into build/mcp-servers."""

import json
import pathlib
import shutil
import subprocess

from tests.support.house import ROOT

SOURCES = ROOT / "tests" / "mcp"
PACKAGES = ROOT / "build" / "mcp-servers"
OFFICIAL = PACKAGES / "node_modules" / "@modelcontextprotocol"


def install() -> pathlib.Path:
    """Where they are."""
    wanted = SOURCES / "package.json"
    marker = PACKAGES / "package.json"
    if not marker.exists() or marker.read_text() != wanted.read_text() or not OFFICIAL.exists():
        PACKAGES.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, marker)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=PACKAGES, check=True, capture_output=True)
    return OFFICIAL


def node_server(package: str, *arguments: str) -> dict:
    """A policy's entry for an official server."""
    return {"command": [shutil.which("node"), str(install() / package / "dist" / "index.js"), *arguments]}


def run_client(where: dict, calls: list) -> dict:
    """What tests/mcp/client.mjs says; it imports from where the packages are."""
    install()
    script = PACKAGES / "client.mjs"
    shutil.copy(SOURCES / "client.mjs", script)
    done = subprocess.run([shutil.which("node"), str(script), json.dumps(where), json.dumps(calls)], cwd=PACKAGES,
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)
