"""Runs `gatehouse` as a person does and reads what it leaves behind."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

from tests.support.upstream import Upstream

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / os.environ.get("GATEHOUSE_PRESET", "release") / "bin"
GATEHOUSE = str(BIN / "gatehouse")
BOOT_SECONDS = 120


class Shell:
    """A guest shell in one session, driven through `gatehouse run -- sh`: one boot, many commands."""

    def __init__(self, house: "House", *options: str):
        self.process = subprocess.Popen([GATEHOUSE, "run", *options, "--", "sh"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=house.environment)
        self._count = 0
        self._stderr: list[bytes] = []
        self._drain = threading.Thread(target=lambda: self._stderr.extend(self.process.stderr), daemon=True)
        self._drain.start()
        self.run("true", BOOT_SECONDS)

    def run(self, command: str, seconds: float = 60) -> tuple[int, str]:
        """Exit code and output (both streams) of one shell command."""
        self._count += 1
        marker = f"--{self._count}-done--"
        self.process.stdin.write(f"{{ {command}\n}} 2>&1; echo \"{marker} $?\"\n".encode())
        self.process.stdin.flush()
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        lines: list[str] = []
        try:
            for raw in self.process.stdout:
                line = raw.decode(errors="replace")
                if marker in line:
                    before, _, code = line.partition(marker)
                    return int(code), "".join(lines) + before
                lines.append(line)
        finally:
            timer.cancel()
        raise RuntimeError(f"the session ended during {command!r}:\n{''.join(lines)}\n{self.stderr()}")

    def stderr(self) -> str:
        return b"".join(self._stderr).decode(errors="replace")

    def close(self) -> int:
        """Ends the shell, if it has not ended, and gives its exit code."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        code = self.process.wait(60)
        self._drain.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class House:
    """State, sockets and policies of one test in a directory of its own; images come from the user's cache."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.directory), "XDG_CACHE_HOME": cache,
            "XDG_STATE_HOME": str(self.directory / "state"), "XDG_RUNTIME_DIR": str(self.directory / "run"),
        }
        (self.directory / "run").mkdir(mode=0o700)

    def policy(self, rules: dict, name: str = "policy.json") -> str:
        path = self.directory / name
        path.write_text(json.dumps({"version": 1, "name": "test", **rules}))
        return str(path)

    def gatehouse(self, *arguments: str, seconds: float = BOOT_SECONDS, **options) -> subprocess.CompletedProcess:
        return subprocess.run([GATEHOUSE, *arguments], capture_output=True, text=True, env=self.environment,
                              timeout=seconds, stdin=options.pop("stdin", subprocess.DEVNULL), **options)

    def audit(self, session: str, *options: str) -> list[dict]:
        listing = self.gatehouse("audit", session, "--json", *options)
        if listing.returncode != 0:
            raise RuntimeError(listing.stderr)
        return [json.loads(line) for line in listing.stdout.splitlines()]

    def pids(self, session: str, process: str) -> list[int]:
        """Live processes of a session by the name of their binary."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if os.path.basename(words[0]).decode() == process and str(self.directory).encode() in b" ".join(words):
                    if session.encode() in b" ".join(words):
                        found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def close(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


class HouseTest(unittest.TestCase):
    """One house and one upstream a class."""

    NAMES = ["api.demo.test", "other.demo.test"]

    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)
        cls.upstream = Upstream(cls.house.directory / "upstream", cls.NAMES)
        cls.addClassCleanup(cls.upstream.close)

    @classmethod
    def resolve(cls) -> dict:
        return {name: f"127.0.0.1:{cls.upstream.tls}" for name in cls.NAMES}

    def rows(self, session: str, **wanted) -> list[dict]:
        """Audit rows in which every wanted column has that value."""
        return [row for row in self.house.audit(session) if all(row.get(key) == value for key, value in wanted.items())]
