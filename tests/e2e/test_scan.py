"""`gatehouse scan` on files of many kinds: what it must find, what it must leave alone, and what it says."""

import base64
import contextlib
import gzip
import io
import json
import os
import pathlib
import random
import struct
import subprocess
import tarfile
import unittest
import uuid
import zipfile
import zlib

import jsonschema

from tests.support.house import GATEHOUSE, ROOT, House

TOKEN = "ghp_" + "0" * 36

# Files of this repository whose samples are there to be found.
SAMPLES = ("dlp/", "tests/fuzz/corpus/", "tests/bench/dlp", "tests/fuzz/dlp")


def benign_files() -> dict[str, bytes]:
    """Made of a fixed seed, so that a false alarm is one tomorrow too."""
    generator = random.Random(20260101)

    def pick(size: int) -> bytes:
        return generator.randbytes(size)

    def b64(size: int) -> str:
        return base64.b64encode(pick(size)).decode()

    npm = {f"node_modules/package-{i}": {
        "version": f"{i % 9}.{i % 31}.{i % 7}", "resolved": f"https://registry.example/package-{i}/-/package-{i}.tgz",
        "integrity": "sha512-" + b64(64), "license": "MIT"} for i in range(3000)}
    return {
        "uuids.txt": "\n".join(str(uuid.UUID(bytes=pick(16))) for _ in range(20000)).encode(),
        "git.log": "\n".join(f"commit {pick(20).hex()}\nAuthor: A <a@example.com>\n\n    Change {i}\n"
                             for i in range(5000)).encode(),
        "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": npm}, indent=2).encode(),
        "go.sum": "\n".join(f"example.com/module{i} v1.{i}.0 h1:{b64(32)}" for i in range(5000)).encode(),
        "poetry.lock": "\n".join(f'{{file = "p-{i}-py3-none-any.whl", hash = "sha256:{pick(32).hex()}"}},'
                                 for i in range(5000)).encode(),
        "page.html": ("<html><body>" + "".join(f'<img src="data:image/png;base64,{b64(20000)}">' for _ in range(40))
                      + "</body></html>").encode(),
        "picture.png": b"\x89PNG\r\n\x1a\n" + pick(2_000_000),
        "archive.tar.gz": archive({f"f{i}": pick(5000) for i in range(50)}),
        "source.tar.gz": archive({"settings.py": (ROOT / "tests/benign/settings.py").read_bytes()}),
        "numbers.csv": "\n".join(f"{i},{generator.randrange(10**12)},{generator.random()}" for i in range(30000)).encode(),
        "hexdump.txt": "\n".join(pick(16).hex(" ") for _ in range(20000)).encode(),
        "trace.json": json.dumps([{"traceId": pick(16).hex(), "spanId": pick(8).hex(), "etag": f'W/"{pick(12).hex()}"',
                                   "cursor": b64(24)} for _ in range(3000)]).encode(),
        "id.pub": f"ssh-ed25519 {b64(51)} user@host\n".encode(),
        "cert.pem": ("-----BEGIN CERTIFICATE-----\n" + "\n".join(b64(48) for _ in range(20))
                     + "\n-----END CERTIFICATE-----\n").encode(),
        "objects": zlib.compress(b"blob 12\0hello world\n" * 100),
    }


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def tarred(files: dict[str, bytes], said: int | None = None) -> bytes:
    """With `said`, all are said to have that size."""
    out = b""
    for name, content in files.items():
        entry = tarfile.TarInfo(name)
        entry.size = len(content) if said is None else said
        out += entry.tobuf(tarfile.GNU_FORMAT) + content + b"\0" * (-len(content) % 512)
    return out + b"\0" * 1024


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return out.getvalue()


def exactly(required: list[str], **members) -> dict:
    return {"type": "object", "required": required, "properties": members, "additionalProperties": False}


# Of SARIF 2.1.0 (OASIS, 27 March 2020) the objects we write: which members each must have, and which it may.
TEXT = {"type": "string", "minLength": 1}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
MESSAGE = exactly(["text"], text=TEXT)  # 3.11: one of text and id
REGION = exactly(["startLine"], startLine={"type": "integer", "minimum": 1}, startColumn={"type": "integer", "minimum": 1},
                 byteOffset={"type": "integer", "minimum": 0}, byteLength={"type": "integer", "minimum": 0})
PLACE = exactly(["artifactLocation"], region=REGION,
                artifactLocation=exactly(["uri"], uri={"type": "string", "pattern": r"^([!$&-;=@-Z_a-z~]|%[0-9A-F]{2})+$"}))
RESULT = exactly(["message", "ruleId"], ruleId=TEXT, level=LEVEL, message=MESSAGE, properties={"type": "object"},
                 locations={"type": "array", "minItems": 1, "items": exactly(["physicalLocation"], physicalLocation=PLACE)},
                 partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}})
RULE = exactly(["id"], id=TEXT, shortDescription=MESSAGE, defaultConfiguration=exactly([], level=LEVEL),
               properties={"type": "object"})
DRIVER = exactly(["name"], name=TEXT, semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
                 rules={"type": "array", "uniqueItems": True, "items": RULE})
SARIF = exactly(["version", "runs"], **{"$schema": {"type": "string"}}, version={"const": "2.1.0"}, runs={
    "type": "array", "minItems": 1, "items": exactly(["tool"], tool=exactly(["driver"], driver=DRIVER),
                                                     results={"type": "array", "items": RESULT})})


class Scan(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)

    def scan(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess:
        return subprocess.run([GATEHOUSE, "scan", *arguments], input=stdin, capture_output=True,
                              env=self.house.environment, timeout=300)

    def findings(self, *arguments: str, stdin: bytes = b"") -> list[dict]:
        done = self.scan("--json", *arguments, stdin=stdin)
        self.assertIn(done.returncode, (0, 3), done.stderr)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(done.returncode, 3 if found else 0)
        return found

    def folder(self, files: dict[str, bytes]) -> pathlib.Path:
        folder = self.house.directory / self.id().rpartition(".")[2]
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    def test_what_agents_send_all_day_is_left_alone(self):
        folder = self.folder(benign_files())
        self.assertEqual(self.findings("--severity", "redact", str(folder), str(ROOT / "tests/benign")), [])

    def test_this_repository_is_left_alone(self):
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        files = [name for name in listing.decode().split("\0") if name and not name.startswith(SAMPLES)]
        found = self.findings("--severity", "redact", *[str(ROOT / name) for name in files])
        self.assertEqual([f"{f['file']}:{f['line']} {f['rule']}" for f in found], [])

    def test_an_installed_python_is_left_alone(self):
        found = self.findings("--severity", "redact", "/usr/lib/python3.11")
        self.assertEqual([f"{f['file']}:{f['line']} {f['rule']}" for f in found], [])

    def test_a_token_is_found_in_whatever_it_is_put(self):
        token = TOKEN.encode()
        encoded = base64.b64encode(token)
        cases = {
            "plain": (b"a = " + token, ""),
            "base64": (b"x " + encoded + b" y", "base64"),
            "base64 with a letter in front": (b"x" + encoded, "base64"),
            "base64 over lines": (base64.encodebytes(token * 3), "base64"),
            "base64url without padding": (base64.urlsafe_b64encode(token).rstrip(b"="), "base64"),
            "base32": (base64.b32encode(token), "base32"),
            "base32 in both cases": (bytes(b | 0x20 if b > 64 and i % 3 else b for i, b in enumerate(base64.b32encode(token))),
                                     "base32"),
            "hex": (token.hex().encode(), "hex"),
            "hex with separators": (token.hex(":").encode(), "hex"),
            "\\x": ("".join(f"\\x{b:02x}" for b in token).encode(), "json"),
            "percent": ("".join(f"%{b:02X}" for b in token).encode(), "percent"),
            "\\u in JSON": (('{"a": "' + "".join(f"\\u{b:04x}" for b in token) + '"}').encode(), "json"),
            "entities": ("".join(f"&#{b};" for b in token).encode(), "html"),
            "quoted-printable": ("".join(f"={b:02X}" for b in token).encode(), "qp"),
            "UTF-16": (TOKEN.encode("utf-16"), "utf16"),
            "full width": ("".join(chr(b + 0xfee0) for b in token).encode(), "unicode"),
            "zero width": ("\u200b".join(TOKEN).encode(), "unicode"),
            "dots between": (".".join(TOKEN).encode(), "separated"),
            "NULs between": ("\0".join(TOKEN).encode(), "separated"),
            "NULs around": (b"\0" * 999 + token + b"\0" * 999, ""),
            "what is no UTF-8 around": (b"\xff\xc0\x80\xed\xa0\x80" + token + b"\xe2\x82\xf5", ""),
            "look-alikes": (TOKEN.replace("p", "\u0440").encode(), "unicode"),
            "soft hyphens": ("\u00ad".join(TOKEN).encode(), "unicode"),
            "tar": (tarred({"a.txt": token}), ""),
            "gzip": (gzip.compress(b"x" * 100 + token), "gzip"),
            "junk and gzip": (b"junk" + gzip.compress(b"x" * 100 + token), "gzip"),
            "zlib": (zlib.compress(b"x" * 100 + token), "zlib"),
            "zip": (zipped({"a.txt": b"x" * 100 + token}), "zip"),
            "tar in gzip": (archive({"a.txt": token}), "gzip"),
            "base64 of gzip of base64": (base64.b64encode(gzip.compress(encoded)), "base64>gzip>base64"),
        }
        for name, (content, path) in cases.items():
            with self.subTest(name):
                found = [f["decode_path"] for f in self.findings("-", stdin=content) if f["rule"] == "github-pat"]
                self.assertIn(path, found)

    def test_a_token_in_short_strings_of_any_length_is_found(self):
        token = "ghp_" + "a1B2c3D4e5F6" * 3
        pieces = [token[:3], token[3:8], token[8], token[9:11], "", token[11:20], token[20:21], token[21:33], token[33:]]
        lists = {
            "a list": json.dumps(pieces),
            "a list with indentation": json.dumps(pieces, indent=4),
            "two strings": json.dumps([token[:5], token[5:]]),
            "lists in lists": json.dumps([pieces[:2], [pieces[2:4], [pieces[4:6], [[pieces[6]], pieces[7]]]], pieces[8]]),
            "members of an object": json.dumps({f"part {i}": piece for i, piece in enumerate(pieces)}),
            "members of objects": json.dumps([{"n": i, "text": piece, "last": False} for i, piece in enumerate(pieces)]),
            "a list in Python": repr(pieces),
            "lines of YAML": "".join(f'  - "{piece}"\n' for piece in pieces),
            "assignments": "".join(f'a{i} = "{piece}"\n' for i, piece in enumerate(pieces)),
        }
        for name, text in lists.items():
            with self.subTest(name):
                paths = {f["decode_path"] for f in self.findings("-", stdin=text.encode()) if f["rule"] == "github-pat"}
                self.assertEqual(paths, {"separated"})
        inner = {"a list in a string": (json.dumps({"t": json.dumps(pieces)}).encode(), "json>separated"),
                 "a list in base64": (base64.b64encode(json.dumps(pieces).encode()), "base64>separated"),
                 "pieces in base64": (json.dumps([base64.b64encode(token[i:i + 6].encode()).decode()
                                                  for i in range(0, 40, 6)]).encode(), "separated>base64")}
        for name, (content, path) in inner.items():
            with self.subTest(name):
                self.assertIn(path, {f["decode_path"] for f in self.findings("-", stdin=content)})

    def test_no_comment_in_the_data_exempts_anything(self):
        for comment in ("# gitleaks:allow", "// nosec", "# pragma: allowlist secret", "# noqa", "// ggignore",
                        "# trufflehog:ignore", "<!-- gatehouse:allow -->", "EXAMPLE"):
            with self.subTest(comment):
                found = self.findings("-", stdin=f"{comment}\nkey = '{TOKEN}'  {comment}\n{comment}\n".encode())
                self.assertIn(("github-pat", "block"), [(f["rule"], f["severity"]) for f in found])

    def test_a_finding_has_its_place_and_no_more_of_the_secret_than_its_prefix(self):
        folder = self.folder({"a/x.py": f"one\ntwo = '{TOKEN}'\n".encode()})
        done = self.scan(str(folder))
        self.assertEqual(done.returncode, 3)
        self.assertIn(f"{folder}/a/x.py:2:8: block github-pat: ".encode(), done.stdout)
        self.assertIn(b"(ghp_...)", done.stdout)
        self.assertNotIn(b"ghp_0", done.stdout + done.stderr)
        sarif = json.loads(self.scan("--sarif", str(folder)).stdout)
        (result,) = sarif["runs"][0]["results"]
        self.assertEqual(result["ruleId"], "github-pat")
        self.assertEqual(result["locations"][0]["physicalLocation"]["region"]["startLine"], 2)

    def test_sarif_is_what_its_standard_asks_for(self):
        folder = self.folder({"a b/x\udcff%.py": TOKEN.encode(), "y.gz": gzip.compress(TOKEN.encode() + b" " + b"A" * 99),
                              "z": gzip.compress(b"\0" * (1 << 29), 1)})
        for arguments, least in (([str(folder)], 3), (["-"], 0)):
            done = self.scan("--sarif", *arguments)
            log = json.loads(done.stdout)
            jsonschema.Draft7Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(log)
            run, = log["runs"]
            self.assertGreaterEqual(len(run["results"]), least)
            ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
            self.assertEqual(sorted(set(ids)), ids)
            self.assertEqual({result["ruleId"] for result in run["results"]}, set(ids))

    def test_a_bar_shows_how_far_it_is_on_a_terminal_alone(self):
        folder = self.folder({"a.bin": random.Random(1).randbytes(60_000_000), "b.txt": TOKEN.encode()})
        terminal, ours = os.openpty()
        with subprocess.Popen([GATEHOUSE, "scan", str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=ours,
                              env=self.house.environment) as scan:
            os.close(ours)
            shown = b""
            with contextlib.suppress(OSError):  # the terminal's end
                while piece := os.read(terminal, 65536):
                    shown += piece
            found = scan.stdout.read()
        os.close(terminal)
        self.assertEqual(scan.returncode, 3)
        self.assertRegex(shown, rb"\r\x1b\[K\[#*\.*\] +\d+ %, \d+ MB/s")
        self.assertRegex(shown.rpartition(b"MB/s")[2], rb"^\r\x1b\[K")  # and it is gone in the end
        self.assertIn(b"github-pat", found)
        self.assertNotIn(b"\x1b", found)
        self.assertNotIn(b"MB/s", self.scan(str(folder)).stderr)

    def test_exit_codes(self):
        folder = self.folder({"clean.txt": b"nothing here\n"})
        self.assertEqual(self.scan(str(folder)).returncode, 0)
        self.assertEqual(self.scan("-", stdin=TOKEN.encode()).returncode, 3)
        missing = self.scan(str(folder / "missing"), str(folder))
        self.assertEqual(missing.returncode, 2)
        self.assertIn(b"missing: ", missing.stderr)

    def test_sizes_that_are_no_more_than_said_hide_nothing(self):
        said = 10 << 30
        token = TOKEN.encode()
        zip64 = struct.pack("<HHQQ", 1, 16, said, said)
        inner = zlib.compressobj(wbits=-15)
        packed = inner.compress(b"x" * 100 + token) + inner.flush()
        cases = {
            "zip, stored": struct.pack("<IHHHHHIIIHH", 0x04034b50, 45, 0, 0, 0, 0, 0, 0xffffffff, 0xffffffff, 1,
                                       len(zip64)) + b"a" + zip64 + token,
            "zip, deflated": struct.pack("<IHHHHHIIIHH", 0x04034b50, 45, 0, 8, 0, 0, 0, 0xffffffff, 0xffffffff, 1,
                                         len(zip64)) + b"a" + zip64 + packed,
            "tar": tarred({"a.txt": token}, said),
            "gzip": gzip.compress(b"x" * 100 + token)[:-4] + struct.pack("<I", 0xffffffff),
            # A frame of one raw block (RFC 8878, section 3.1.1), whose header says how much comes of it.
            "zstd": struct.pack("<IBBQ", 0xfd2fb528, 0xc0, 0x50, said) + (1 | len(token) << 3).to_bytes(3, "little") + token,
        }
        for name, content in cases.items():
            with self.subTest(name):
                self.assertIn("github-pat", {f["rule"] for f in self.findings("-", stdin=content)})

    def test_hostile_archives_end_soon_and_are_reported(self):
        nested = TOKEN.encode()
        for _ in range(40):
            nested = base64.b64encode(nested)
        zips, brackets = TOKEN.encode(), b"[" * 300_000 + b'"a"' + b"]" * 300_000
        for _ in range(40):
            zips = zipped({"a.zip": zips})
        self.assertEqual(self.findings("-", stdin=brackets), [])
        for name, content in {"bomb": gzip.compress(b"\0" * (1 << 29), 1), "nested": nested, "zips": zips,
                              "zip bomb": zipped({f"{i}": b"\0" * (1 << 26) for i in range(5)})}.items():
            with self.subTest(name):
                rules = {f["rule"] for f in self.findings("-", stdin=content)}
                self.assertIn("decode-budget", rules)

    def test_rules_are_checked_and_imported(self):
        check = self.house.gatehouse("dlp", "rules", "check")
        self.assertEqual(check.returncode, 0, check.stdout)
        folder = self.folder({"gitleaks.toml": b"[[rules]]\nid = 'acme'\ndescription = 'Acme key'\n"
                                               b"regex = '''acme_[0-9]{16}'''\nkeywords = ['acme_']\n"})
        imported = self.house.gatehouse("dlp", "rules", "import", str(folder / "gitleaks.toml"))
        self.assertEqual(imported.returncode, 0, imported.stderr)
        (folder / "rules").mkdir()
        (folder / "rules" / "acme.json").write_text(imported.stdout)
        found = self.findings("--rules", str(folder / "rules"), "-", stdin=b"k = acme_0123456789012345")
        self.assertEqual([f["rule"] for f in found], ["acme"])


if __name__ == "__main__":
    unittest.main()
