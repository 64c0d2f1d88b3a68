"""Pushes that are made to hurt, and upstreams, disks and clients that fail in the middle of one: each is refused in
words, leaves no quarantine behind and nothing at the upstream, and has its row. What is merely unsound is in
test_git.py (BadInput)."""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest
import zlib

from tests.e2e.test_git import CAPABILITIES, HOST, NO_ID, REFUSED, GitTest, commands, pkt, resealed
from tests.support.gates import Gates
from tests.support.git_upstream import Backend, GitUpstream, git
from tests.support.upstream import free_port, wait_until

DOWN = "down.demo.test"


def entry_head(kind: int, size: int) -> bytes:
    """Of one object of a pack."""
    first, size = kind << 4 | size & 15, size >> 4
    out = bytearray()
    while size:
        out.append(first | 0x80)
        first, size = size & 127, size >> 7
    return bytes(out) + bytes([first])


def number(value: int) -> bytes:
    """As deltas have sizes."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def back(distance: int) -> bytes:
    """As ofs-deltas have their bases."""
    out = [distance & 127]
    while distance := distance >> 7:
        distance -= 1
        out.append(0x80 | distance & 127)
    return bytes(reversed(out))


def pack_of(*objects: bytes, version: int = 2, count: int | None = None) -> bytes:
    return resealed(b"PACK" + struct.pack(">II", version, len(objects) if count is None else count) + b"".join(objects))


def blob(content: bytes) -> bytes:
    return entry_head(3, len(content)) + zlib.compress(content)


def chain(base: bytes, depth: int, size: int) -> list[bytes]:
    """A blob, and deltas each to the one before: the whole of it, up to `size` bytes, and a counter."""
    objects, before = [blob(base)], len(base)
    for i in range(depth):
        kept = min(before, size)
        tail = struct.pack(">I", i)
        delta = number(before) + number(kept + len(tail)) + b"\xf0" + struct.pack("<I", kept)[:3] + bytes([len(tail)]) + tail
        objects.append(entry_head(6, len(delta)) + back(len(objects[-1])) + zlib.compress(delta))
        before = kept + len(tail)
    return objects


class HostileTest(GitTest):
    """Each class has a house of its own."""

    RULES = [{"id": "app", "action": "allow", "remotes": [f"https://{HOST}/git/app-*.git"],
              "push": {"branches": ["main", "agent/**"], "tags": ["v*"], "pack_size": "4MiB", "objects": 20000}}]
    POLICY: dict = {}
    BACKEND = Backend

    @classmethod
    def prepare(cls):
        """Before anything is started."""

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-git-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.quarantine = cls.directory / "gates/quarantine"
        cls.prepare()
        cls.upstream = GitUpstream(cls.directory / "upstream", [HOST, DOWN], backend=cls.BACKEND)
        cls.addClassCleanup(cls.upstream.close)
        cls.gates = Gates(cls.directory / "gates", {
            "git": cls.RULES, "resolve": {HOST: f"127.0.0.1:{cls.upstream.tls}", DOWN: f"127.0.0.1:{free_port()}"},
            **cls.POLICY}, "--upstream-ca", str(cls.upstream.ca), dlp=True, git=True)
        cls.addClassCleanup(cls.gates.close)
        cls.environment = {"https_proxy": f"http://127.0.0.1:{cls.gates.port}", "GIT_SSL_CAINFO": str(cls.gates.ca)}
        cls.made = 0

    def tearDown(self):
        self.assertEqual(list(self.quarantine.iterdir()), [])


class ManyRefs(HostileTest):
    # By hand: git itself takes minutes to match so many refs with each other.
    def creations(self, commit: str, count: int) -> bytes:
        return commands(*(f"{NO_ID} {commit} refs/heads/agent/{i}" for i in range(count)))

    def test_ten_thousand_refs_are_judged_and_more_are_not(self):
        here = self.work()
        commit = self.commit(here, {"a.txt": "a\n"})
        pack = self.pack(here, commit, self.at(here, "HEAD^{tree}"), self.at(here, "HEAD:a.txt"))
        answer = self.post(here, self.creations(commit, 10_001) + pack)
        self.assertIn(b"more than 10000 refs in one push", answer)
        self.assertEqual(self.rows(here)[-1]["rule_id"], "git.malformed")
        self.assertEqual(self.upstream.pushes(), self.pushes)
        refused = len(self.rows(here))
        answer = self.post(here, self.creations(commit, 10_000) + pack)
        self.assertIn(b"unpack ok", answer)
        bare = self.upstream.root / f"{here.name}.git"
        self.assertEqual(len(git("-C", str(bare), "for-each-ref", "refs/heads/agent").stdout.splitlines()), 10_000)
        rows = self.rows(here)[refused:]
        self.assertEqual(len(rows), 10_000)
        self.assertEqual({(row["kind"], row["verdict"], row["rule_id"]) for row in rows}, {("create", "allow", "app")})
        # As many are advertised to the next one who pushes.
        done = self.push(here, "main:agent/next")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.arrived(here, "agent/next"), commit)

    def test_one_of_ten_thousand_that_may_not_be_pushed_refuses_all(self):
        here = self.work()
        commit = self.commit(here, {"a.txt": "a\n"})
        lines = [f"{NO_ID} {commit} refs/heads/agent/{i}" for i in range(9999)] + [f"{NO_ID} {commit} refs/heads/other"]
        answer = self.post(here, commands(*lines) + self.pack(here, commit, self.at(here, "HEAD^{tree}"), self.at(here, "HEAD:a.txt")))
        self.assertIn(b"ng refs/heads/other", answer)
        self.assertEqual(answer.count(b"ng refs/heads/"), 10_000)
        self.assertEqual(self.upstream.pushes(), self.pushes)
        rows = self.rows(here)
        self.assertEqual(len(rows), 10_000)
        self.assertEqual({row["rule_id"] for row in rows}, {"git.branch", "git.another-ref"})


class Bombs(HostileTest):
    RULES = [{"id": "app", "action": "allow", "remotes": [f"https://{HOST}/git/app-*.git"],
              "push": {"branches": ["**"], "pack_size": "1MiB", "objects": 20000, "file_size": "16MiB"}}]

    def bomb(self, *objects: bytes) -> dict:
        here = self.work()
        answer = self.post(here, commands(f"{NO_ID} {'1' * 40} refs/heads/x") + pack_of(*objects))
        row = self.rows(here)[-1]
        self.assertIn(b"ng refs/heads/x", answer)
        self.assertIn(row["rule_id"].encode(), answer)
        self.assertEqual(row["verdict"], "deny")
        self.assertEqual(self.upstream.pushes(), self.pushes)
        return row

    def test_deltas_that_make_far_more_than_the_pack_are_given_up(self):
        # 60 GB in a few hundred KB.
        row = self.bomb(*chain(bytes(12 << 20), 5000, 12 << 20))
        self.assertEqual(row["rule_id"], "git.pack")
        self.assertIn("killed by signal", row["reason"])

    def test_a_client_that_goes_while_git_works_leaves_nothing(self):
        pid = self.gates.pid("gatehouse-git-gate")
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        at_rest = children.read_text()
        body = commands(f"{NO_ID} {'1' * 40} refs/heads/x") + pack_of(*chain(bytes(12 << 20), 5000, 12 << 20))

        def at_work():
            wait_until(lambda: list(self.quarantine.iterdir()) and children.read_text() != at_rest, 20, "git to be at work")

        def gone():
            wait_until(lambda: not list(self.quarantine.iterdir()) and children.read_text() == at_rest, 4, "git to be gone")

        with self.subTest("the gate's own"):
            question = {"version": 1, "trace_id": "t", "host": HOST, "port": 443, "repository": "/git/app-x", "encoding": ""}
            with socket.socket(socket.AF_UNIX) as stream:
                stream.connect(self.gates.git_socket)
                for kind, payload in ((1, json.dumps(question).encode()), (2, body), (3, b"")):
                    for at in range(0, len(payload) or 1, 256 << 10):
                        piece = payload[at:at + (256 << 10)]
                        stream.sendall(struct.pack("<IB", len(piece) + 1, kind) + piece)
                at_work()
            gone()
        with self.subTest("the guest"):
            self.post(self.work(), body, until=at_work)
            gone()
            wait_until(lambda: self.gates.rows()[-1]["rule_id"] == "http.cut-short", 10, "the row")
            self.assertEqual(self.gates.rows()[-1]["verdict"], "deny")
            self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_a_file_that_is_nothing_but_long_is_not_looked_through(self):
        row = self.bomb(blob(bytes(300 << 20)))
        self.assertEqual(row["rule_id"], "git.file-size")

    def test_deep_chains_are_followed_to_their_end(self):
        objects = chain(b"x" * 100, 15_000, 100)
        here = self.work()
        answer = self.post(here, commands(f"{NO_ID} {self.at(here, 'HEAD')} refs/heads/x") + pack_of(*objects))
        self.assertIn(b"HTTP/1.1 200", answer)
        self.assertEqual(self.rows(here)[-1]["verdict"], "allow", self.rows(here)[-1]["reason"])


class HandMade(HostileTest):
    def test_what_another_reader_might_take_otherwise_is_refused(self):
        here = self.work()
        old, commit = self.at(here, "HEAD"), self.commit(here, {"a.txt": "a\n"})
        pack = self.pack(here, commit, self.at(here, "HEAD^{tree}"), self.at(here, "HEAD:a.txt"))
        line = f"{old} {commit} refs/heads/main"
        other = f"{old} {commit} refs/heads/release"
        head = commands(line)

        def first(text: str) -> bytes:
            return pkt(text) + b"0000" + pack

        twice = pack_of(blob(b"same"), blob(b"same"))
        cases = [
            ("commands after the flush", head + pkt(other) + b"0000" + pack, "git.malformed"),
            ("two flushes", head + b"0000" + pack, "git.malformed"),
            ("a second push after the first", head + pack + head + pack, "git.pack"),
            ("an object twice", head + twice, "git.pack"),
            ("a ref twice", commands(line, line) + pack, "git.malformed"),
            ("a pack of version 3", head + pack_of(version=3), "git.malformed"),
            ("a pack of none that says it has some", head + pack_of(count=3), "git.pack"),
            ("HEAD", commands(f"{old} {commit} HEAD") + pack, "git.malformed"),
            ("a symbolic name", commands(f"{old} {commit} refs/remotes/origin/HEAD") + pack, "git.ref"),
            ("replacements", commands(f"{NO_ID} {commit} refs/replace/{old}") + pack, "git.ref"),
            ("another place", commands(f"{NO_ID} {commit} refs/pull/1/head") + pack, "git.ref"),
            ("upper case", commands(f"{NO_ID} {commit} refs/Heads/main") + pack, "git.ref"),
            ("a name upwards", commands(f"{NO_ID} {commit} refs/heads/agent/../main2") + pack, "git.malformed"),
            ("a name with a control", commands(f"{NO_ID} {commit} refs/heads/agent/a\x7f") + pack, "git.malformed"),
            ("another branch's letters", commands(f"{old} {commit} refs/heads/Main") + pack, "git.branch"),
            ("capabilities behind a second zero", first(f"{line}\0{CAPABILITIES}\0push-options"), "git.malformed"),
            ("capabilities on the second line", pkt(f"{line}\0{CAPABILITIES}") + pkt(f"{other}\0atomic") + b"0000" + pack,
             "git.malformed"),
            ("options nobody agreed upon", commands(line) + pkt("ci.skip") + b"0000" + pack, "git.malformed"),
            ("options that are not let", commands(line, capabilities=CAPABILITIES + " push-options") + pkt("ci.skip") +
             b"0000" + pack, "git.push-option"),
            ("a certificate", pkt(f"push-cert\0{CAPABILITIES}") + pkt("certificate version 0.1\n") + b"0000" + pack,
             "git.malformed"),
            ("another format's ids", first(f"{'1' * 64} {'2' * 64} refs/heads/main\0{CAPABILITIES}"), "git.malformed"),
            ("ids in upper case", first(f"{'A' * 40} {commit} refs/heads/main\0{CAPABILITIES}"), "git.malformed"),
            ("a length that is none", b"00zz" + head[4:] + pack, "git.malformed"),
            ("a length of three", b"0003" + head + pack, "git.malformed"),
            ("a delimiter", head[:-4] + b"0001" + b"0000" + pack, "git.malformed"),
            ("a shallow line at the end", pkt(f"{line}\0{CAPABILITIES}") + pkt(f"shallow {old}") + b"0000" + pack,
             "git.malformed"),
        ]
        for name, body, rule in cases:
            with self.subTest(name):
                answer = self.post(here, body)
                row = self.rows(here)[-1]
                self.assertEqual((row["verdict"], row["rule_id"]), ("deny", rule), row["reason"])
                self.assertIn(rule.encode(), answer)
                self.assertEqual(self.upstream.pushes(), self.pushes)
        self.assertEqual(self.arrived(here, "main"), old)

    def test_foreign_submodules_are_found_as_git_finds_them(self):
        section = '[submodule "x"]\n\tpath = x\n\turl = https://evil.example/x.git\n'
        for name, text in (("a variable before", "x = 1\n" + section),
                           ("quotes on the section's line", '[submodule "x"] url = "https://evil.example/x"\n'),
                           ("behind a comment that ends with a backslash", "# \\\n" + section),
                           ("up past the host", '[submodule "x"]\n\tpath = x\n\turl = ../../../evil.example/x\n'),
                           ("behind megabytes of comments", "# nothing here\n" * 300_000 + section)):
            with self.subTest(name):
                here = self.work()
                self.commit(here, {".gitmodules": text})
                self.refused(self.push(here, "main"), here, "git.submodule")

    def test_other_encodings_of_the_body_are_refused(self):
        here = self.work()
        body = commands(f"{NO_ID} {self.at(here, 'HEAD')} refs/heads/agent/x") + pack_of()
        for encoding, packed in (("deflate", zlib.compress(body)), ("br", body), ("gzip, gzip", body), ("gzip", body)):
            with self.subTest(encoding):
                answer = self.post(here, packed, f"Content-Encoding: {encoding}")
                self.assertIn(b"HTTP/1.1 403", answer)
                self.assertEqual(self.rows(here)[-1]["verdict"], "deny")
                self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_what_comes_before_a_push_has_one_spelling(self):
        here = self.work()
        url = f"https://{HOST}/git/{here.name}.git/info/refs"
        for query in ("?service=git-receive-pack&service=git-upload-pack", "?service=git%2Dreceive-pack",
                      "?a=b&service=git-receive-pack", "?service=git-receive-pack%00", ";x?service=git-receive-pack", ""):
            status, _ = self.gates.curl(url + query)
            self.assertEqual(status, 403, query)


class Drops:
    """A stream to which all but the head is written a little at a time."""

    def __init__(self, stream, closing):
        self.stream, self.closing = stream, closing

    def write(self, content: bytes) -> None:
        step = len(content) if content.startswith(b"HTTP/") else 8
        for at in range(0, len(content), step):
            self.stream.write(content[at:at + step])
            self.stream.flush()
            self.closing.wait(0.1)

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        self.stream.close()

    @property
    def closed(self) -> bool:
        return self.stream.closed


class Misbehaving(Backend):
    """By the repository's name."""

    def push_through(self):
        Backend.serve(self)

    def serve(self):
        is_push = self.command == "POST"
        for word, act in self.ACTS.items():
            on_push, how = act
            if f"/app-{word}-" in self.path and is_push == on_push:
                if how is Misbehaving.drip:
                    return how(self)
                if is_push:
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.server.asked.append((self.command, self.path, {}, 0))
                return how(self)
        return super().serve()

    do_GET = do_POST = serve

    def start(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"application/x-git-receive-pack-{kind}")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def silence(self):
        self.server.closing.wait(60)

    def half_an_advertisement(self):
        self.start("advertisement", 1000)
        self.wfile.write(pkt("# service=git-receive-pack\n") + b"0000" + b"00")
        self.wfile.flush()
        self.server.closing.wait(60)

    def no_advertisement(self):
        self.start("advertisement", 6)
        self.wfile.write(b"<html>")

    def reset(self):
        self.start("result", 1000)
        self.wfile.write(b"0030")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def reset_after_words(self):
        self.start("result", 1000)
        self.wfile.write(pkt("\2Counting objects\n") + b"0030")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def half_a_result(self):
        self.start("result", 4)
        self.wfile.write(b"0030")

    def no_result(self):
        self.start("result", 6)
        self.wfile.write(b"<html>")

    def drip(self):
        self.server.closing.wait(0.7)
        self.wfile = Drops(self.wfile, self.server.closing)
        self.push_through()

    ACTS = {"mute": (False, silence), "slow": (False, half_an_advertisement), "html": (False, no_advertisement),
            "deaf": (True, silence), "reset": (True, reset), "words": (True, reset_after_words), "half": (True, half_a_result),
            "none": (True, no_result), "drip": (True, drip)}


class Upstreams(HostileTest):
    BACKEND = Misbehaving
    RULES = [*HostileTest.RULES, {"id": "down", "action": "allow", "remotes": [f"https://{DOWN}/**"],
                                  "push": {"branches": ["**"]}}]
    POLICY = {"limits": {"first_byte_time": "1s", "idle_time": "1s"}}

    def named(self, word: str) -> pathlib.Path:
        here = self.work(f"app-{word}")
        self.commit(here, {"a.txt": "a\n"})
        return here

    def test_an_advertisement_that_does_not_come_or_is_none_ends_the_push(self):
        for word, words in (("mute", "upstream.timeout"), ("html", "git.advertisement"), ("slow", "upstream.timeout")):
            with self.subTest(word):
                done = self.push(self.named(word), "main")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr)
                self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_a_push_that_is_not_answered_whole_says_so(self):
        unanswered = "The push did not get through, or its answer did not."
        for word, rule, words in (("deaf", "upstream.timeout", unanswered), ("reset", "upstream.", unanswered),
                                  ("words", "upstream.", "The push may or may not have arrived"),
                                  ("half", "git.result", unanswered), ("none", "git.result", unanswered)):
            with self.subTest(word):
                here = self.named(word)
                done = self.push(here, "main")
                self.assertNotEqual(done.returncode, 0, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertIn(rule, done.stderr)
                self.assertNotIn(REFUSED, done.stderr)
                row = self.rows(here)[-1]
                self.assertEqual((row["verdict"], row["rule_id"]), ("allow", "app"))
                net = self.gates.rows(trace_id=row["trace_id"])[-1]
                self.assertIn(net["event_id"], done.stderr)
                wait_until(lambda: self.gates.rows("net_results", trace_id=net["trace_id"]), 10, "how it ended")
                self.assertIn(rule, self.gates.rows("net_results", trace_id=net["trace_id"])[-1]["error"])

    def test_a_push_to_an_upstream_that_is_merely_slow_arrives(self):
        """Longer in all than any limit, and never silent for as long as one."""
        for version in ("HTTP/1.1", "HTTP/2"):
            with self.subTest(version):
                here = self.named("drip")
                done = self.push(here, "main", options=("-c", f"http.version={version}"))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.arrived(here, "main"), self.at(here, "HEAD"))

    def test_an_upstream_that_is_away_is_told_of(self):
        here = self.work()
        git("-C", str(here), "remote", "set-url", "origin", f"https://{DOWN}/git/{here.name}.git")
        self.commit(here, {"a.txt": "a\n"})
        done = self.push(here, "main")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("upstream.", done.stderr)


@unittest.skipUnless(os.geteuid() == 0, "a file system of its own is mounted")
class DiskFull(HostileTest):
    @classmethod
    def prepare(cls):
        cls.quarantine.mkdir(0o700, parents=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(cls.quarantine)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest(f"no file system can be mounted here: {done.stderr}")
        cls.addClassCleanup(subprocess.run, ["umount", "-l", str(cls.quarantine)])

    def test_a_push_that_there_is_no_room_for_is_refused_and_the_next_one_passes(self):
        here = self.work()
        self.commit(here, {"a.bin": os.urandom(1 << 20)})
        done = self.push(here, "main", options=("-c", "http.postBuffer=16m"))
        self.refused(done, here, "git.pack", "No space left on device")
        git("-C", str(here), "reset", "-q", "--hard", "HEAD~1")
        commit = self.commit(here, {"a.txt": "a\n"})
        done = self.push(here, "main")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.arrived(here, "main"), commit)


if __name__ == "__main__":
    unittest.main()
