"""What the git gate adds to a push: a pack of real source, as large as asked for, and one small commit.

    python3 -m tests.bench.git_push [MEGABYTES]

The pack is made on the spot, commit by commit, of source files that are installed on this machine. The gate's time is
from the first byte on its socket to its verdict, beside `git index-pack` alone on the same pack, and beside the scanner
alone on the same objects (time at the rate that `gatehouse scan` shows on them is not measured here: see dlp_decode)."""

import json
import pathlib
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from tests.support.gates import Gates
from tests.support.git_upstream import ENVIRONMENT, git

SOURCES = ("/usr/include", "/usr/lib/go-1.19", "/usr/share/go-1.19", "/usr/lib/python3", "/usr/lib/python3.11", "/usr/share")
FILES_PER_COMMIT = 200
ZERO = "0" * 40


def source_files():
    for folder in SOURCES:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 4 << 20:
                yield path


def make_repository(here: pathlib.Path, megabytes: int) -> None:
    git("init", "-q", "-b", "main", str(here))
    batch, total = [], 0
    for path in source_files():
        target = here / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        batch.append(path)
        if len(batch) < FILES_PER_COMMIT:
            continue
        git("-C", str(here), "add", "-A")
        git("-C", str(here), "commit", "-q", "-m", f"add {len(batch)} files of {path.parent.name}")
        batch = []
        total += 1
        if total % 10 == 0:
            size = int(re.search(r"^size: (\d+)", git("-C", str(here), "count-objects", "-v").stdout, re.M).group(1))
            if size > megabytes * 1024:
                break
    git("-C", str(here), "repack", "-qad")


def pack_of(here: pathlib.Path, revisions: str) -> bytes:
    return subprocess.run(["git", "-C", str(here), "pack-objects", "--stdout", "-q", "--revs", "--delta-base-offset"],
                          input=revisions.encode(), env=ENVIRONMENT, capture_output=True, check=True).stdout


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack("<IB", len(payload) + 1, kind) + payload


def judge(gates: Gates, old: str, new: str, pack: bytes) -> tuple[float, dict]:
    line = f"{old} {new} refs/heads/main\0report-status".encode()
    body = f"{len(line) + 4:04x}".encode() + line + b"0000" + pack
    question = {"version": 1, "trace_id": "bench", "host": "git.demo.test", "port": 443, "repository": "/app", "encoding": ""}
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(gates.git_socket)
        start = time.perf_counter()
        stream.sendall(frame(1, json.dumps(question).encode()))
        for at in range(0, len(body), 256 << 10):
            stream.sendall(frame(2, body[at:at + (256 << 10)]))
        stream.sendall(frame(3, b""))
        answer = b""
        while piece := stream.recv(1 << 20):
            answer += piece
        return time.perf_counter() - start, json.loads(answer[5:])


def index_alone(directory: pathlib.Path, pack: bytes, *options: str) -> float:
    bare = directory / "alone.git"
    git("init", "-q", "--bare", str(bare))
    start = time.perf_counter()
    subprocess.run(["git", "-C", str(bare), "index-pack", "--stdin", *options], input=pack, env=ENVIRONMENT, check=True,
                   capture_output=True)
    spent = time.perf_counter() - start
    shutil.rmtree(bare)
    return spent


def most_memory(pid: int) -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) // 1024


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-git-bench-", dir="/var/tmp"))
    try:
        here = directory / "source"
        make_repository(here, megabytes * 2)
        whole = pack_of(here, "main\n")
        listing = git("-C", str(here), "cat-file", "--batch-check=%(objectsize)", "--batch-all-objects").stdout.split()
        unpacked = sum(int(size) for size in listing)
        gates = Gates(directory / "gates", {
            "git": [{"id": "app", "action": "allow", "remotes": ["https://git.demo.test/app"],
                     "push": {"branches": ["**"], "pack_size": "2GiB", "objects": 5000000}}],
            "dlp": {"warn": ["credentials", "private-keys", "entropy", "personal-data"]}}, dlp=True, git=True)
        try:
            head = git("-C", str(here), "rev-parse", "main").stdout.strip()
            alone = index_alone(directory, whole, "--threads=1")
            checked = index_alone(directory, whole, "--threads=1", "--fsck-objects")
            spent, verdict = judge(gates, ZERO, head, whole)
            print(f"pack of {len(whole) / 1e6:.0f} MB, {len(listing)} objects, {unpacked / 1e6:.0f} MB unpacked: "
                  f"{verdict['decision']['verdict']} ({verdict['decision']['rule']}, {len(verdict['findings'])} findings told)")
            print(f"git index-pack alone {alone:.1f} s, with --fsck-objects {checked:.1f} s; gate and scanner {spent:.1f} s "
                  f"({unpacked / 1e6 / spent:.0f} MB/s of objects); resident at most, gate without git's own processes: "
                  f"{most_memory(gates.pid('gatehouse-git-gate'))} MiB")
            (here / "one.txt").write_text("one line\n")
            git("-C", str(here), "add", "one.txt")
            git("-C", str(here), "commit", "-q", "-m", "one line")
            new = git("-C", str(here), "rev-parse", "main").stdout.strip()
            small = pack_of(here, f"{new}\n^{head}\n")
            times = [judge(gates, head, new, small)[0] * 1000 for _ in range(30)]
            print(f"one commit: median {statistics.median(times):.1f} ms, worst of 30 {max(times):.1f} ms")
        finally:
            gates.close()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
