"""What tests/conformance pins of the protocol's official tools, with the Node they need, from npm, installed into
build/conformance."""

import pathlib
import platform
import shutil
import subprocess

from tests.support.house import ROOT

SOURCES = ROOT / "tests" / "conformance"
PACKAGES = ROOT / "build" / "conformance"
MODULES = PACKAGES / "node_modules"
NODE = MODULES / f"node-linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}" / "bin" / "node"
INSPECTOR = MODULES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"


def install() -> None:
    """And puts our fixtures beside them, where they can import them."""
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
