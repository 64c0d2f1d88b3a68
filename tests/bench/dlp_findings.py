"""What two builds of `gatehouse scan` find, by rule and file: for a change that must find the same and merely be faster.

    python3 -m tests.bench.dlp_findings OLD/gatehouse NEW/gatehouse [PATH...]

Each looks through the paths, and through files made here of a fixed seed: a sample of every rule in every disguise, within
text, noise, JSON and chat requests, at many places of a block. Prints what only one of them found; exit 1 if that is anything.
"""

import base64
import collections
import gzip
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]

def cuts(s: bytes) -> list[int]:
    at = [0]
    while at[-1] + 3 + at[-1] % 4 < len(s):
        at.append(at[-1] + 3 + at[-1] % 4)
    return at


DISGUISES = {
    "plain": lambda s: s,
    "base64": base64.b64encode,
    "base64-shifted": lambda s: b"xy" + base64.b64encode(s),
    "base64-lines": base64.encodebytes,
    "base32": base64.b32encode,
    "base32-lower": lambda s: b"q" + base64.b32encode(s).lower(),
    "base32-mixed": lambda s: bytes(b | 0x20 if b > 64 and i % 3 else b for i, b in enumerate(base64.b32encode(s))),
    "hex": lambda s: s.hex().encode(),
    "hex-codes": lambda s: s.hex(" ").encode(),
    "decimal": lambda s: ", ".join(map(str, s)).encode(),
    "percent": lambda s: "".join(f"%{b:02X}" for b in s).encode(),
    "percent-some": lambda s: b"".join(b"%%%02x" % b if i % 5 == 2 else bytes([b]) for i, b in enumerate(s)),
    "json": lambda s: json.dumps(s.decode("latin-1")).encode(),
    "json-unicode": lambda s: "".join(f"\\u{b:04x}" for b in s).encode(),
    "json-some": lambda s: b"\\n".join(b"\\x%02x" % b if i % 7 == 3 else bytes([b]) for i, b in enumerate(s)),
    "html": lambda s: "".join(f"&#{b};" for b in s).encode(),
    "html-some": lambda s: b"".join(b"&#x%x;" % b if i % 6 == 1 else bytes([b]) for i, b in enumerate(s)),
    "qp": lambda s: "".join(f"={b:02X}" for b in s).encode(),
    "qp-soft": lambda s: b"=\r\n".join(s[i:i + 9] for i in range(0, len(s), 9)),
    "utf16": lambda s: s.decode("latin-1").encode("utf-16-le"),
    "dots": lambda s: b".".join(bytes([b]) for b in s),
    "groups": lambda s: b" - ".join(s[i:i + 4] for i in range(0, len(s), 4)),
    "full-width": lambda s: "".join(chr(b + 0xfee0) if 0x20 < b < 0x7f else chr(b) for b in s).encode(),
    "zero-width": lambda s: "\u200b".join(s.decode("latin-1")).encode(),
    "joined": lambda s: b'"' + b'" + "'.join(s[i:i + 7] for i in range(0, len(s), 7)) + b'"',
    "listed": lambda s: json.dumps([s[i:i + 3 + i % 4].decode("latin-1") for i in cuts(s)]).encode(),
    "members": lambda s: json.dumps({f"k{i}": s[i:i + 3 + i % 4].decode("latin-1") for i in cuts(s)}).encode(),
    "gzip": gzip.compress,
    "zlib-base64": lambda s: base64.b64encode(zlib.compress(s)),
}


def samples() -> dict[str, bytes]:
    return {rule["id"]: rule["examples"][0].encode() for file in sorted((ROOT / "dlp/rules").glob("*.json"))
            for rule in json.loads(file.read_text())["rules"]}


def chat(pieces: list[bytes], generator: random.Random) -> bytes:
    """A request to a model: each piece in a text of its own, pictures between."""
    content = []
    for piece in pieces:
        picture = base64.b64encode(generator.randbytes(generator.randrange(200, 5000))).decode()
        content += [{"type": "text", "text": piece.decode("latin-1")},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture}}]
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]},
                      ensure_ascii=generator.random() < 0.5).encode()


def plant(folder: pathlib.Path) -> None:
    generator = random.Random(1)
    text = (ROOT / "dlp/layer.cc").read_bytes() + (ROOT / "README.md").read_bytes()
    for name, dress in DISGUISES.items():
        pieces = []
        texts = []
        for sample in samples().values():
            cut = generator.randrange(len(text) - 3000)
            around = text[cut:cut + generator.randrange(300, 3000)]
            noise = generator.randbytes(generator.randrange(10, 700))
            dressed = b" " + dress(sample) + b"\n"
            place = generator.randrange(len(around))
            texts += [around[:place] + dressed + around[place:]]
            pieces += [around, dressed, noise, dressed, noise]
            pieces += [json.dumps((around + dressed + around).decode("latin-1")).encode()]
            pieces += [base64.b64encode(noise + dressed + noise), b"\n"]
        # In many files, for a file's findings are bounded.
        for i in range(0, len(pieces), 40):
            (folder / f"{name}-{i // 40:03}").write_bytes(b"".join(pieces[i:i + 40]))
        for i in range(0, len(texts), 8):
            (folder / f"{name}-chat-{i // 8:03}").write_bytes(chat(texts[i:i + 8], generator))


def found(binary: str, paths: list[str]) -> collections.Counter:
    done = subprocess.run([binary, "scan", "--json", *paths], capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"{binary}: {done.stderr}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return collections.Counter((row["file"], row["rule"], row["decode_path"], row["offset"]) for row in rows)


def main() -> int:
    old, new, *paths = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        plant(pathlib.Path(folder))
        before, after = (found(binary, [folder, *paths]) for binary in (old, new))
    for sign, rows in (("-", before - after), ("+", after - before)):
        for row, count in sorted(rows.items(), key=str):
            print(sign, count, *row)
    print(f"{before.total()} findings before, {after.total()} after")
    return 1 if before != after else 0


if __name__ == "__main__":
    sys.exit(main())
