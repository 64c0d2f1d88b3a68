"""What the git gate adds to a push: a pack of real source, and one small commit.

    python3 -m tests.bench.git_push [PACKAGE [FOLDER]]

The pack is made on the spot of a Debian source package (default: mariadb), commit by commit; it is kept in FOLDER, where
the next run finds it. The gate's time is from the first byte on its socket to its verdict: beside `git index-pack` alone
on the same pack, and the scanner alone on the same objects as files. Memory is what is resident of the gate and the git
that it runs, together, looked at all the while. One commit is also pushed by git through the proxy, all of it timed.

The package has test data that the scanner's limits end in, and test keys and tokens. The policy is what an operator would
make of that after a first push: what is over a limit is exempted object by object, its submodules' host is named, the rest
is warned of."""

import json
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

from tests.bench.git_source import import_package
from tests.support.gates import Gates
from tests.support.git_upstream import ENVIRONMENT, GitUpstream, git
from tests.support.house import GATEHOUSE

HOST = "git.demo.test"
ZERO = "0" * 40
PUSHES = 31
VERDICT, READ, CAME_END = 4, 6, 8  # common/git/gate_protocol.h


def pack_of(here: pathlib.Path, revisions: str) -> bytes:
    return subprocess.run(["git", "-C", str(here), "pack-objects", "--stdout", "-q", "--revs", "--delta-base-offset"],
                          input=revisions.encode(), env=ENVIRONMENT, capture_output=True, check=True).stdout


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack("<IB", len(payload) + 1, kind) + payload


def read_frame(stream: socket.socket) -> tuple[int, bytes]:
    length, kind = struct.unpack("<IB", stream.recv(5, socket.MSG_WAITALL))
    return kind, stream.recv(length - 1, socket.MSG_WAITALL)


def judge(gates: Gates, old: str, new: str, pack: bytes) -> tuple[float, dict]:
    line = f"{old} {new} refs/heads/main\0report-status".encode()
    body = f"{len(line) + 4:04x}".encode() + line + b"0000" + pack
    question = {"version": 1, "trace_id": "bench", "host": HOST, "port": 443, "repository": "/git/app", "encoding": ""}
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(gates.git_socket)
        start = time.perf_counter()
        stream.sendall(frame(1, json.dumps(question).encode()))
        for at in range(0, len(body), 256 << 10):
            stream.sendall(frame(2, body[at:at + (256 << 10)]))
        stream.sendall(frame(3, b""))
        while (answer := read_frame(stream))[0] != VERDICT:  # others tell of refs
            if answer[0] == READ:
                stream.sendall(frame(CAME_END, b"there is no remote here"))
        spent = time.perf_counter() - start
    return spent, json.loads(answer[1])


def index_alone(directory: pathlib.Path, pack: bytes, *options: str) -> float:
    bare = directory / "alone.git"
    git("init", "-q", "--bare", str(bare))
    start = time.perf_counter()
    subprocess.run(["git", "-C", str(bare), "index-pack", "--stdin", *options], input=pack, env=ENVIRONMENT, check=True,
                   capture_output=True)
    spent = time.perf_counter() - start
    shutil.rmtree(bare)
    return spent


def scan_alone(here: pathlib.Path, directory: pathlib.Path) -> tuple[float, int, int]:
    """Seconds, objects and bytes: every object of the repository as a file of its own."""
    folder = directory / "objects"
    folder.mkdir()
    printing = subprocess.Popen(["git", "-C", str(here), "cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer"],
                                env=ENVIRONMENT, stdout=subprocess.PIPE)
    count = total = 0
    while head := printing.stdout.readline():
        size = int(head.split()[2])
        (folder / str(count)).write_bytes(printing.stdout.read(size))
        printing.stdout.read(1)
        count, total = count + 1, total + size
    printing.wait()
    start = time.perf_counter()
    subprocess.run([GATEHOUSE, "scan", "--json", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    spent = time.perf_counter() - start
    shutil.rmtree(folder)
    return spent, count, total


class Memory:
    """The most that was resident of a process and its children together, in MiB, while this is open."""

    def __init__(self, pid: int):
        self.pid, self.most, self.of_children, self.over = pid, 0.0, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def resident(self, pid: str) -> float:
        try:
            return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) / 256
        except (OSError, IndexError):
            return 0.0

    def watch(self):
        while not self.over.wait(0.003):
            children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            of_children = sum(map(self.resident, children))
            self.of_children = max(self.of_children, of_children)
            self.most = max(self.most, of_children + self.resident(str(self.pid)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def gates_for(directory: pathlib.Path, upstream: GitUpstream, exempt: list[str]) -> Gates:
    remotes = [f"https://{HOST}/git/app.git"]
    exemption = {"id": "test-data", "rule": "decode-budget", "remotes": remotes, "objects": exempt}
    gates = Gates(directory, {
        "git": [{"id": "app", "action": "allow", "remotes": remotes,
                 "push": {"branches": ["**"], "pack_size": "2GiB", "objects": 5000000, "submodules": ["github.com"]}}],
        "resolve": {HOST: f"127.0.0.1:{upstream.tls}"},
        "dlp": {"warn": ["credentials", "private-keys", "entropy", "personal-data"], "exempt": [exemption] if exempt else []}},
        "--upstream-ca", str(upstream.ca), dlp=True, git=True)
    gates.upstream_port = upstream.tls
    return gates


def over_limits(here: pathlib.Path, directory: pathlib.Path, upstream: GitUpstream) -> list[str]:
    """The objects for which a first push of the package is refused."""
    gates = gates_for(directory, upstream, [])
    try:
        _, verdict = judge(gates, ZERO, git("-C", str(here), "rev-parse", "main").stdout.strip(), pack_of(here, "main\n"))
    finally:
        gates.close()
    return sorted({found["object"] for found in verdict["findings"] if found["rule"] == "decode-budget"})


def measure_pack(here: pathlib.Path, directory: pathlib.Path, gates: Gates) -> str:
    pack = pack_of(here, "main\n")
    head = git("-C", str(here), "rev-parse", "main").stdout.strip()
    alone = index_alone(directory, pack)
    single = index_alone(directory, pack, "--threads=1")
    scan, count, total = scan_alone(here, directory)
    print(f"pack of {len(pack) / 1e6:.0f} MB, {count} objects, {total / 1e6:.0f} MB unpacked: git index-pack alone {alone:.1f} s "
          f"(one thread {single:.1f} s), scanner alone {scan:.1f} s ({total / 1e6 / scan:.0f} MB/s)")
    spent, verdict = judge(gates, ZERO, head, pack)
    print(f"gate {spent:.1f} s, goal {1.5 * alone + scan:.1f} s; {verdict['decision']['verdict']} "
          f"({verdict['decision']['rule']}, {len(verdict['findings'])} findings told)")
    with Memory(gates.pid("gatehouse-git-gate")) as memory:
        judge(gates, ZERO, head, pack)
    print(f"resident at most: gate and its git {memory.most:.0f} MiB, git alone {memory.of_children:.0f} MiB")
    return head


def measure_commit(here: pathlib.Path, directory: pathlib.Path, gates: Gates, bare: pathlib.Path, head: str) -> None:
    clone = directory / "clone"
    git("clone", "-q", "--shared", str(here), str(clone))
    git("-C", str(clone), "remote", "set-url", "origin", f"https://{HOST}/git/app.git")
    git("-C", str(clone), "remote", "add", "direct", f"https://127.0.0.1:{gates.upstream_port}/git/app.git")
    environment = {"https_proxy": f"http://127.0.0.1:{gates.port}", "GIT_SSL_CAINFO": str(gates.ca)}
    judged, pushed, direct = [], [], []
    for number in range(PUSHES):
        (clone / "one.txt").write_text(f"line {number}\n")
        git("-C", str(clone), "add", "one.txt")
        git("-C", str(clone), "commit", "-q", "-m", f"line {number}")
        new = git("-C", str(clone), "rev-parse", "main").stdout.strip()
        judged.append(judge(gates, head, new, pack_of(clone, f"{new}\n^{head}\n"))[0] * 1000)
        for times, to, settings in ((pushed, "origin", environment), (direct, "direct", {"GIT_SSL_NO_VERIFY": "1"})):
            start = time.perf_counter()
            git("-C", str(clone), "push", "-q", to, f"main:{to}", env=settings)
            times.append((time.perf_counter() - start) * 1000)
        head = new
    print(f"one commit: gate median {statistics.median(judged):.1f} ms, worst of {PUSHES} {max(judged):.1f} ms; git push, all "
          f"of it, median {statistics.median(pushed):.0f} ms, without Gatehouse {statistics.median(direct):.0f} ms")


def main() -> None:
    package = sys.argv[1] if len(sys.argv) > 1 else "mariadb"
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-git-bench-", dir="/var/tmp"))
    kept = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else directory / "source"
    try:
        here = kept / "package/tree"
        if not here.exists():
            import_package(package, kept)
        upstream = GitUpstream(directory / "upstream", [HOST])
        bare = upstream.make("app")
        git("-C", str(here), "push", "-q", str(bare), "main", "main:origin", "main:direct")
        exempt = over_limits(here, directory / "first", upstream)
        print(f"refused at first for {len(exempt)} objects over the scanner's limits, exempted from then on")
        gates = gates_for(directory / "gates", upstream, exempt)
        try:
            head = measure_pack(here, directory, gates)
            measure_commit(here, directory, gates, bare, head)
        finally:
            gates.close()
            upstream.close()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
