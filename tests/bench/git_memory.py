"""What the git gate and the git it runs take of memory for packs that are made to cost it.

    python3 -m tests.bench.git_memory [PACK...]

Each pack is as large as the policy lets it be where it says nothing (128 MiB, 100,000 objects, files of 32 MiB). Told is
the most that was resident of the gate and its child together, looked at all the while; the goal is 256 MB."""

import hashlib
import os
import pathlib
import random
import shutil
import struct
import sys
import tempfile
import zlib

from tests.bench.git_push import HOST, ZERO, Memory, judge
from tests.e2e.test_git_hostile import back, blob, entry_head, number, pack_of
from tests.support.gates import Gates

FILE = (32 << 20) - 64
TREE = (4 << 20) - 64


def packed(kind: int, content: bytes) -> bytes:
    return entry_head(kind, len(content)) + zlib.compress(content, 1)


def large_files() -> list[bytes]:
    return [packed(3, os.urandom(FILE)) for _ in range(3)]


def deltas() -> list[bytes]:
    """Of files as large as may be, each in the middle another one than the one before."""
    objects = [packed(3, os.urandom(FILE))]
    for _ in range(40):
        copies = b"".join(b"\xff" + struct.pack("<I", at) + struct.pack("<I", min(0xffffff, FILE - 8 - at))[:3]
                          for at in range(0, FILE - 8, 0xffffff))
        delta = number(FILE) + number(FILE) + copies + b"\x08" + os.urandom(8)
        objects.append(entry_head(6, len(delta)) + back(len(objects[-1])) + zlib.compress(delta))
    return objects


def inserts() -> list[bytes]:
    """Deltas that are as long as what they make."""
    objects = [packed(3, os.urandom(FILE))]
    for _ in range(2):
        content = os.urandom(FILE)
        delta = number(FILE) + number(FILE) + b"".join(
            bytes([len(piece)]) + piece for piece in (content[at:at + 127] for at in range(0, FILE, 127)))
        objects.append(entry_head(6, len(delta)) + back(len(objects[-1])) + zlib.compress(delta, 1))
    return objects


def small_files() -> list[bytes]:
    return [packed(3, b"%d\n" % i) for i in range(100_000)]


def wide_trees() -> list[bytes]:
    """Names that no two trees share."""
    source, objects = random.Random(1), []
    for tree in range(40):
        out = bytearray()
        for i in range(TREE // 53):
            out += b"100644 %024d\0" % (tree * 1_000_000 + i) + source.randbytes(20)
        objects.append(packed(2, bytes(out)))
    return objects


def many_commits() -> list[bytes]:
    source, objects = random.Random(1), []
    for i in range(100_000):
        parents = b"".join(b"parent %s\n" % source.randbytes(20).hex().encode() for _ in range(3))
        objects.append(packed(1, b"tree %s\n%sauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n%d\n" % (
            hashlib.sha1(b"%d" % i).hexdigest().encode(), parents, i)))
    return objects


def everything() -> list[bytes]:
    objects = many_commits()[:60_000] + wide_trees()[:20] + deltas()[:1]
    return objects + [packed(3, os.urandom(FILE // 2))] + small_files()[:30_000]


def same_names() -> list[bytes]:
    """Small trees that are all kept to be compared."""
    source = random.Random(1)
    return [packed(2, b"".join(b"100644 %02d\0" % i + source.randbytes(20) for i in range(40))) for _ in range(100_000)]


PACKS = {"three files of 32 MiB": large_files, "40 deltas of 32 MiB each": deltas, "deltas as long as what they make": inserts,
         "100,000 small files": small_files, "40 trees of 4 MiB": wide_trees, "100,000 commits of 3 parents": many_commits,
         "100,000 trees": same_names, "some of everything": everything}


def main() -> None:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-git-bench-", dir="/var/tmp"))
    gates = Gates(directory, {"git": [{"id": "app", "action": "allow", "remotes": [f"https://{HOST}/git/app.git"],
                                       "push": {"branches": ["**"], "unchanged": [".github/**"]}}]}, dlp=True, git=True)
    try:
        for name, make in PACKS.items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            pack = pack_of(*make())
            with Memory(gates.pid("gatehouse-git-gate")) as memory:
                spent, verdict = judge(gates, ZERO, "1" * 40, pack)
            decision = verdict["decision"]
            print(f"{name}: pack of {len(pack) / 1e6:.0f} MB, resident at most {memory.most:.0f} MiB (git {memory.of_children:.0f}), "
                  f"{spent:.1f} s; {decision['verdict']} ({decision['rule']}: {decision['reason'][:100]})", flush=True)
    finally:
        gates.close()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
