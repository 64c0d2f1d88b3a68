"""Real git pushing through the real proxy, git gate and scanner to a real server: what is clean arrives, what is not is
refused in words on the pusher's terminal, and the server sees no push."""

import base64
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import unittest
import zipfile
import zlib

from tests.support.gates import Gates
from tests.support.git_upstream import ENVIRONMENT, GitUpstream, git
from tests.support.upstream import wait_until

HOST = "git.demo.test"
TOKEN = "ghp_" + "A" * 36
RULE = "dlp.github-pat"
NO_ID = "0" * 40
SAMPLE = f"token = {TOKEN}\n"
SAMPLE_ID = hashlib.sha1(f"blob {len(SAMPLE)}\0{SAMPLE}".encode()).hexdigest()
CAPABILITIES = "report-status side-band-64k object-format=sha1"
REFUSED = "Gatehouse refused this push. Nothing of it was sent."


def zipped(text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("inner.txt", text)
    return archive.getvalue()


def pkt(payload: str) -> bytes:
    return f"{len(payload) + 4:04x}{payload}".encode()


def commands(*lines: str, capabilities: str = CAPABILITIES) -> bytes:
    first, *others = lines
    return pkt(f"{first}\0{capabilities}") + b"".join(pkt(line) for line in others) + b"0000"


def resealed(pack: bytes) -> bytes:
    return pack + hashlib.sha1(pack).digest()


class GitTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-git-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = GitUpstream(cls.directory / "upstream", [HOST])
        cls.addClassCleanup(cls.upstream.close)
        remote = f"https://{HOST}/git/"
        cls.gates = Gates(cls.directory / "gates", {
            "git": [
                {"id": "app", "action": "allow", "remotes": [remote + "app-*.git"],
                 "push": {"branches": ["main", "agent/**"], "tags": ["v*"], "protected": ["agent/frozen"],
                          "pack_size": "4MiB", "objects": 2000}},
                {"id": "free", "action": "allow", "remotes": [remote + "free-*.git"],
                 "push": {"branches": ["**"], "tags": ["**"], "force": True, "delete": True, "push_options": True,
                          "lfs": True}},
                {"id": "guarded", "action": "allow", "remotes": [remote + "guarded-*.git"],
                 "push": {"branches": ["**"], "unchanged": [".github/workflows/**", "**/CODEOWNERS"],
                          "authors": ["* <*@demo.test>"], "trailers": ["Signed-off-by"]}},
                {"id": "loose", "action": "allow", "remotes": [remote + "loose-*.git"],
                 "push": {"branches": ["**"], "force": True, "unchanged": [".github/workflows/**"]}},
                {"id": "blind", "action": "allow", "remotes": [remote + "blind-*.git"],
                 "push": {"branches": ["**"], "unchanged": [".github/workflows/**"]}},
                {"id": "read", "action": "allow", "remotes": [remote + "read-*.git"]}],
            "http": [{"id": "web", "action": "allow", "hosts": [HOST]},
                     {"id": "no-read", "action": "deny", "hosts": [HOST], "paths": ["/git/blind-*.git/git-upload-pack"]}],
            "dlp": {"exempt": [
                {"id": "samples", "rule": "github-pat", "remotes": [remote + "app-*.git"], "paths": ["tests/samples/**"]},
                {"id": "blob", "rule": "github-pat", "remotes": [remote + "free-*.git"], "objects": [SAMPLE_ID]}]},
            "resolve": {HOST: f"127.0.0.1:{cls.upstream.tls}"},
        }, "--upstream-ca", str(cls.upstream.ca), dlp=True, git=True)
        cls.addClassCleanup(cls.gates.close)
        cls.environment = {"https_proxy": f"http://127.0.0.1:{cls.gates.port}", "GIT_SSL_CAINFO": str(cls.gates.ca)}
        cls.made = 0

    def setUp(self):
        self.pushes = self.upstream.pushes()

    def work(self, kind: str = "app", *options: str) -> pathlib.Path:
        """A repository with one commit, on the server and here; the remote `origin` leads through the proxy."""
        type(self).made += 1
        name = f"{kind}-{self.made}"
        bare = self.upstream.make(name, *options)
        here = self.directory / name
        git("init", "-q", "-b", "main", *options, str(here))
        self.commit(here, {"README.md": "hello\n", ".github/workflows/build.yml": "on: push\n"}, "first\n\nSigned-off-by: Ada")
        git("-C", str(here), "push", "-q", str(bare), "main")
        git("-C", str(here), "remote", "add", "origin", f"https://{HOST}/git/{name}.git")
        git("-C", str(here), "config", "user.name", "Ada")
        git("-C", str(here), "config", "user.email", "ada@demo.test")
        return here

    def commit(self, here: pathlib.Path, files: dict, message: str = "words", *options: str, **environment) -> str:
        for name, content in files.items():
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        git("-C", str(here), "add", "-A")
        git("-C", str(here), "commit", "-q", "--allow-empty", "-m", message, *options, env=environment)
        return self.at(here, "HEAD")

    def at(self, here: pathlib.Path, name: str) -> str:
        return git("-C", str(here), "rev-parse", name).stdout.strip()

    def push(self, here: pathlib.Path, *refs: str, options: tuple = ()) -> subprocess.CompletedProcess:
        return git("-C", str(here), *options, "push", "origin", *refs, check=False, env=self.environment)

    def arrived(self, here: pathlib.Path, name: str) -> str:
        bare = self.upstream.root / f"{here.name}.git"
        return git("-C", str(bare), "rev-parse", "--verify", "-q", name, check=False).stdout.strip()

    def rows(self, here: pathlib.Path) -> list[dict]:
        return [row for row in self.gates.rows("git_events") if row["remote"] == f"https://{HOST}/git/{here.name}.git"]

    def refused(self, done: subprocess.CompletedProcess, here: pathlib.Path, rule: str, *words: str) -> dict:
        """git says so and fails, the row says so, the server has seen no push, and nothing says the secret."""
        self.assertNotEqual(done.returncode, 0, done.stderr)
        self.assertIn(REFUSED, done.stderr)
        for word in (rule, *words):
            self.assertIn(word, done.stderr)
        self.assertEqual(self.upstream.pushes(), self.pushes)
        row = self.rows(here)[-1]
        self.assertEqual((row["verdict"], row["rule_id"]), ("deny", rule), row["reason"])
        net = self.gates.rows(trace_id=row["trace_id"])[-1]
        self.assertEqual((net["verdict"], net["rule_id"]), ("deny", rule))
        findings = self.gates.rows("dlp_findings", trace_id=row["trace_id"])
        self.assertNotIn(TOKEN, str([row, net, findings]))
        self.assertEqual(list((self.gates.directory / "quarantine").iterdir()), [])
        return row

    def post(self, here: pathlib.Path, body: bytes, *headers: str, finish: bool = True, until=None) -> bytes:
        """A push as bytes of one's own, by HTTP/1.1 inside a CONNECT. The connection is dropped before all of it is sent
        (not `finish`), or once `until` returns."""
        context = ssl.create_default_context(cafile=str(self.gates.ca))
        with socket.create_connection(("127.0.0.1", self.gates.port), 300) as plain:
            plain.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
            plain.recv(4096)
            with context.wrap_socket(plain, server_hostname=HOST) as stream:
                fields = "".join(f"{line}\r\n" for line in headers)
                if not any(line.lower().startswith("transfer-encoding") for line in headers):
                    fields += f"Content-Length: {len(body) if finish else len(body) + 1}\r\n"
                stream.sendall(f"POST /git/{here.name}.git/git-receive-pack HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
                               f"Content-Type: application/x-git-receive-pack-request\r\n{fields}\r\n".encode() + body)
                if until is not None:
                    until()
                if not finish or until is not None:
                    return b""
                answer = b""
                while piece := stream.recv(65536):
                    answer += piece
                return answer

    def pack(self, here: pathlib.Path, *objects: str, options: tuple = ()) -> bytes:
        done = subprocess.run(["git", "-C", str(here), "pack-objects", "--stdout", "-q", *options], env=ENVIRONMENT,
                              input="".join(f"{name}\n" for name in objects).encode(), capture_output=True, check=True)
        return done.stdout


class Clean(GitTest):
    def test_a_clean_push_arrives_by_either_version_of_http(self):
        for version in ("HTTP/1.1", "HTTP/2"):
            with self.subTest(version):
                here = self.work()
                commit = self.commit(here, {"src/main.c": "int main(void) { return 0; }\n"})
                git("-C", str(here), "tag", "-a", "v1", "-m", "first release")
                done = self.push(here, "main", "v1", "HEAD:agent/topic", options=("-c", f"http.version={version}"))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.arrived(here, "main"), commit)
                self.assertEqual(self.arrived(here, "v1^{commit}"), commit)
                rows = self.rows(here)
                self.assertEqual([(row["ref"], row["kind"], row["verdict"]) for row in rows],
                                 [("refs/heads/main", "update", "allow"), ("refs/tags/v1", "create", "allow"),
                                  ("refs/heads/agent/topic", "create", "allow")])
                net = self.gates.rows(trace_id=rows[0]["trace_id"])
                self.assertEqual([row["path"] for row in net], [f"/git/{here.name}.git/git-receive-pack"])
                self.assertLess(rows[-1]["seq"], net[0]["seq"])

    def test_files_that_git_itself_reads_need_not_be_in_the_push(self):
        here = self.work("free")
        self.commit(here, {".gitattributes": "* text=auto\n", ".gitignore": "x\n", ".gitmodules": "", ".mailmap": ""})
        self.assertEqual(self.push(here, "main").returncode, 0)
        commit = self.commit(here, {"a.txt": "a\n"})
        done = self.push(here, "main")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.arrived(here, "main"), commit)

    def test_large_chunked_gzipped_shallow_and_sha256_pushes_arrive(self):
        here = self.work()
        commit = self.commit(here, {f"data/{i}.txt": f"{os.urandom(24).hex()}\n" * 3 for i in range(300)})
        self.assertEqual(self.push(here, "main", options=("-c", "http.postBuffer=8192")).returncode, 0)
        self.assertEqual(self.arrived(here, "main"), commit)
        shallow = self.directory / "shallow"
        git("clone", "-q", "--depth", "1", f"https://{HOST}/git/{here.name}.git", str(shallow), env=self.environment)
        commit = self.commit(shallow, {"more.txt": "more\n"})
        done = git("-C", str(shallow), "push", "origin", "main", check=False, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.arrived(here, "main"), commit)
        newer = self.work("app", "--object-format=sha256")
        commit = self.commit(newer, {"more.txt": "more\n"})
        done = self.push(newer, "main")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.arrived(newer, "main"), commit)
        body = commands(f"{self.at(here, 'main')} {NO_ID} refs/heads/agent/gone")
        answer = self.post(here, gzip.compress(body), "Content-Encoding: gzip")
        self.assertIn(b"ng refs/heads/agent/gone", answer)
        self.assertIn(b"git.delete", answer)

    def test_the_probe_passes_and_what_the_server_advertises_loses_what_cannot_be_checked(self):
        here = self.work()
        self.assertIn(b"HTTP/1.1 200 ", self.post(here, b"0000", "Expect: 100-continue"))
        self.assertEqual(self.rows(here), [])
        status, text = self.gates.curl(f"https://{HOST}/git/{here.name}.git/info/refs?service=git-receive-pack",
                                       "--output", "-", "--compressed")
        self.assertEqual(status, 200)
        self.assertIn(" no-thin", text)
        self.assertIn("report-status", text)
        self.assertNotIn("push-cert", text)

    def test_a_rule_that_lets_it_lets_it(self):
        here = self.work("free")
        self.commit(here, {"a.txt": "one\n"}, "one", "--amend")
        git("-C", str(here), "tag", "v1")
        done = self.push(here, "--force", "main", "v1", "-o", "ci.skip")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows(here)[0]["kind"], "force")
        self.assertEqual(self.push(here, "--delete", "v1").returncode, 0)
        self.assertEqual(self.arrived(here, "v1"), "")


class Exempt(GitTest):
    def test_what_the_policy_exempts_goes_and_is_logged(self):
        for kind, path, exemption in (("app", "tests/samples/token.txt", "samples"), ("free", "any/where.txt", "blob")):
            with self.subTest(exemption):
                here = self.work(kind)
                commit = self.commit(here, {path: SAMPLE})
                done = self.push(here, "main")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.arrived(here, "main"), commit)
                row = self.rows(here)[-1]
                self.assertIn(f"{RULE} exempt {SAMPLE_ID} {path}:1", row["findings"])
                found = self.gates.rows("dlp_findings", trace_id=row["trace_id"])
                self.assertEqual([(one["action"], one["exemption"]) for one in found], [("exempt", exemption)])
                self.assertNotIn(TOKEN, str([row, found]))

    def test_an_exemption_goes_no_further_than_it_says(self):
        for kind, files, message in (("app", {"src/token.txt": SAMPLE}, "words"), ("free", {"a.txt": "x" + SAMPLE}, "words"),
                                     ("app", {"tests/samples/a.txt": SAMPLE, "b.txt": "x" + SAMPLE}, "words"),
                                     ("app", {"tests/samples/a.txt": SAMPLE}, f"use {TOKEN}"),
                                     ("app", {f"tests/samples/{TOKEN}": "x\n"}, "words")):
            with self.subTest(str(files)):
                here = self.work(kind)
                self.commit(here, files, message)
                self.refused(self.push(here, "main"), here, RULE)


class Refused(GitTest):
    def test_a_token_in_any_object_is_refused_with_words(self):
        def new_file(here):
            self.commit(here, {"config/prod.env": f"A=1\nTOKEN={TOKEN}\n"})
            return ("main",), ("in config/prod.env line 2",)

        def deleted_again(here):
            self.commit(here, {"secret.txt": TOKEN})
            (here / "secret.txt").unlink()
            self.commit(here, {})
            return ("main",), ("secret.txt",)

        def kept_by_a_tag(here):
            self.commit(here, {"secret.txt": TOKEN})
            git("-C", str(here), "tag", "v0")
            self.commit(here, {"secret.txt": "nothing\n"}, "words", "--amend")
            return ("main", "v0"), ("secret.txt",)

        def message(here):
            self.commit(here, {}, f"use {TOKEN}")
            return ("main",), ("commit message",)

        def author(here):
            self.commit(here, {}, "words", f"--author={TOKEN} <ada@demo.test>")
            return ("main",), ("author",)

        def path(here):
            self.commit(here, {f"dir/{TOKEN}.txt": "x\n"})
            return ("main",), ("dir/ghp_***",)

        def tag_message(here):
            git("-C", str(here), "tag", "-a", "v1", "-m", f"made with {TOKEN}")
            return ("v1",), ("tag message",)

        def encoded(here):
            self.commit(here, {"a.b64": base64.b64encode(f"token {TOKEN} end".encode())})
            return ("main",), ("base64", "a.b64")

        def in_a_zip(here):
            self.commit(here, {"a.zip": zipped(f"token {TOKEN} end\n")})
            return ("main",), ("zip", "a.zip")

        def ref_name(here):
            return (f"HEAD:agent/{TOKEN}",), ("ref name",)

        for case in (new_file, deleted_again, kept_by_a_tag, message, author, path, tag_message, encoded, in_a_zip, ref_name):
            with self.subTest(case.__name__):
                here = self.work()
                refs, words = case(here)
                done = self.push(here, *refs)
                row = self.refused(done, here, RULE, *words)
                self.assertIn(RULE, row["findings"])
                self.assertIn("[remote rejected]", done.stderr)

    def test_the_row_tells_what_was_pushed_and_where_the_finding_is(self):
        here = self.work()
        old = self.at(here, "HEAD")
        commit = self.commit(here, {"config/prod.env": f"A=1\nTOKEN={TOKEN}  # gitleaks:allow\n"})
        blob = self.at(here, "HEAD:config/prod.env")
        row = self.refused(self.push(here, "main"), here, RULE)
        self.assertEqual((row["remote"], row["ref"], row["kind"], row["old_id"], row["new_id"], row["objects"]),
                         (f"https://{HOST}/git/{here.name}.git", "refs/heads/main", "update", old, commit, 4))
        self.assertIn(f"{RULE} deny {blob} config/prod.env:2", row["findings"])
        self.assertGreater(row["bytes"], 0)
        (found,) = self.gates.rows("dlp_findings", trace_id=row["trace_id"])
        self.assertEqual((found["action"], found["prefix"]), ("deny", TOKEN[:4]))

    def test_an_object_that_nothing_refers_to_is_looked_at(self):
        here = self.work()
        old, commit = self.at(here, "HEAD"), self.commit(here, {"a.txt": "a\n"})
        loose = git("-C", str(here), "hash-object", "-w", "--stdin", input=f"left over {TOKEN}\n").stdout.strip()
        body = commands(f"{old} {commit} refs/heads/main") + self.pack(
            here, commit, self.at(here, "HEAD^{tree}"), self.at(here, "HEAD:a.txt"), loose)
        answer = self.post(here, body)
        self.assertIn(b"ng refs/heads/main", answer)
        self.assertIn(RULE, self.rows(here)[-1]["rule_id"])
        self.assertIn(loose, self.rows(here)[-1]["findings"])
        self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_what_the_policy_does_not_let_is_refused_with_its_own_words(self):
        def forced(here):
            self.commit(here, {"a.txt": "a\n"}, "words", "--amend")
            return ("--force", "main"), "git.force", "no fast-forward"

        def deleted(here):
            return ("--delete", "main"), "git.delete", "may not be removed"

        def other_branch(here):
            return ("main:release",), "git.branch", "only branches may be pushed: main, agent/**"

        def protected(here):
            return ("main:agent/frozen",), "git.protected", "is protected by rule 'app'"

        def other_tag(here):
            return ("HEAD:refs/tags/latest",), "git.tag", "only tags may be pushed: v*"

        def note(here):
            return ("HEAD:refs/notes/x",), "git.ref", "only branches and tags"

        def foreign_submodule(here):
            self.commit(here, {".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = https://evil.example/x.git\n'})
            return ("main",), "git.submodule", "the host 'evil.example'"

        def push_option(here):
            self.commit(here, {"a.txt": "a\n"})
            return ("-o", "x=1", "main"), "git.push-option", "lets no push options pass"

        for case in (forced, deleted, other_branch, protected, other_tag, note, foreign_submodule, push_option):
            with self.subTest(case.__name__):
                here = self.work()
                arguments, rule, words = case(here)
                self.refused(self.push(here, *arguments), here, rule, words)

    def test_the_terms_of_a_rule_hold_for_every_commit(self):
        def workflow(here):
            self.commit(here, {".github/workflows/build.yml": "on: [push, pull_request]\n"}, "w\n\nSigned-off-by: Ada")
            return "git.path", "'.github/workflows/build.yml' may not change, says rule 'guarded'"

        def identity(here):
            self.commit(here, {"a.txt": "a\n"}, "w\n\nSigned-off-by: Eve", "--author=Eve <eve@evil.example>")
            return "git.identity", "the author is none of those"

        def trailer(here):
            self.commit(here, {"a.txt": "a\n"})
            return "git.trailer", "lacks the trailer 'Signed-off-by: ...'"

        for case in (workflow, identity, trailer):
            with self.subTest(case.__name__):
                here = self.work("guarded")
                rule, words = case(here)
                done = self.push(here, "main")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr)
                self.assertIn(rule, done.stderr)
                self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_one_refused_ref_refuses_the_others(self):
        here = self.work()
        self.commit(here, {"a.txt": "a\n"})
        done = self.push(here, "main", "main:release")
        self.assertIn("another ref was refused", done.stderr)
        self.assertEqual({row["ref"]: row["rule_id"] for row in self.rows(here)},
                         {"refs/heads/main": "git.another-ref", "refs/heads/release": "git.branch"})
        self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_remotes_that_no_rule_names_are_refused_before_anything_is_sent(self):
        for kind, words in (("read", "rule 'read' names it, but not for that"), ("other", "no git rule names it")):
            here = self.work(kind)
            done = self.push(here, "main")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)
            self.assertEqual(git("ls-remote", f"https://{HOST}/git/{here.name}.git", env=self.environment).returncode, 0)

    def test_lfs_and_other_spellings_of_a_push_are_refused(self):
        here = self.work()
        url = f"https://{HOST}/git/{here.name}.git"
        for path, rule in (("/info/lfs/objects/batch", "git.lfs"), ("/git-receive-pack/", "git.unclear"),
                           ("/git%2Dreceive-pack", "git.unclear"), ("/Git-Receive-Pack", "git.unclear"),
                           ("/info/lfs/locks", "git.lfs")):
            status, text = self.gates.curl(url + path, "-X", "POST", "-d", '{"operation": "upload"}')
            self.assertEqual(status, 403)
            self.assertIn(rule, text)
            self.assertEqual(self.gates.rows()[-1]["rule_id"], rule)
        self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_lfs_downloads_pass_and_uploads_where_the_policy_says(self):
        batch, operation = "/info/lfs/objects/batch", '{"operation": "%s", "objects": []}'
        for kind, what, passes in (("app", "download", True), ("app", "upload", False), ("free", "upload", True),
                                   ("read", "download", True), ("other", "download", False)):
            with self.subTest(f"{kind} {what}"):
                before = len(self.upstream.backend.asked)
                status, text = self.gates.curl(f"https://{HOST}/git/{kind}-x.git{batch}", "-d", operation % what,
                                               "-H", "Content-Type: application/vnd.git-lfs+json")
                self.assertEqual(len(self.upstream.backend.asked) - before, int(passes))
                self.assertEqual(self.gates.rows()[-1]["verdict"], "allow" if passes else "deny")
                if not passes:
                    self.assertEqual(status, 403)
                    self.assertIn("Gatehouse refused this", json.loads(text)["message"])

    def test_what_is_uploaded_for_lfs_is_scanned(self):
        before = len(self.upstream.backend.asked)
        url = f"https://{HOST}/git/free-x.git/info/lfs/objects/{'a' * 64}/40"
        status, text = self.gates.curl(url, "-X", "PUT", "--data-binary", f"a {TOKEN}")
        self.assertEqual(status, 403)
        self.assertIn(RULE, text)
        self.assertEqual(len(self.upstream.backend.asked), before)

    def test_pushes_over_webdav_and_bundles_from_elsewhere_are_refused(self):
        here = self.work()
        for method, path in (("PUT", f"/git/{here.name}.git/refs/heads/main"), ("MKCOL", f"/git/{here.name}/objects/ab/"),
                             ("LOCK", f"/dav/{here.name}/refs/heads/main"), ("MOVE", f"/dav/{here.name}/objects/pack/pack-1.pack"),
                             ("PUT", f"/dav/{here.name}/info/refs")):
            with self.subTest(f"{method} {path}"):
                status, text = self.gates.curl(f"https://{HOST}{path}", "-X", method, "-d", "x")
                self.assertEqual(status, 403)
                self.assertIn("git.unclear", text)
                self.assertEqual(self.gates.rows()[-1]["rule_id"], "git.unclear")
        done = git("clone", "-q", "--bundle-uri=https://bundles.demo.test/a.bundle",
                   f"https://{HOST}/git/{here.name}.git", str(self.directory / "bundled"), check=False, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)  # git goes on without
        row = next(row for row in reversed(self.gates.rows()) if row["host"] == "bundles.demo.test")
        self.assertEqual((row["verdict"], row["rule_id"]), ("deny", "default-deny"))

    def test_a_push_over_the_limit_is_refused_with_words(self):
        here = self.work()
        self.commit(here, {"a.bin": os.urandom(5 << 20)})
        done = self.push(here, "main", options=("-c", "http.postBuffer=16m"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("longer than the 4194304 bytes", done.stderr)
        self.assertEqual(self.rows(here)[-1]["rule_id"], "app")
        self.assertEqual(self.upstream.pushes(), self.pushes)


class BadInput(GitTest):
    def test_what_is_no_sound_push_is_refused_and_leaves_nothing(self):
        here = self.work()
        old, commit = self.at(here, "HEAD"), self.commit(here, {"README.md": "hello\n" * 50 + "more\n"})
        names = (commit, self.at(here, "HEAD^{tree}"), self.at(here, "HEAD:README.md"))
        pack = self.pack(here, *names)
        line = f"{old} {commit} refs/heads/main"
        head = commands(line)
        thin = subprocess.run(["git", "-C", str(here), "pack-objects", "--stdout", "-q", "--thin", "--revs"],
                              input=f"{commit}\n^{old}\n".encode(), env=ENVIRONMENT, capture_output=True, check=True).stdout
        # A blob that says it has 4 GB, and a delta that says the same of what it makes.
        four_gb = resealed(b"PACK" + struct.pack(">II", 2, 1) + bytes([0xb0, 0x80, 0x80, 0x80, 0x80, 0x01]) + zlib.compress(b"x"))
        base = b"x" * 100
        bomb = b"\x64" + b"\x80\x80\x80\x80\x10" + (b"\x90\x64" * 1000)
        delta = resealed(b"PACK" + struct.pack(">II", 2, 2) + bytes([0xb4, 0x06]) + zlib.compress(base) +
                         bytes([0xf0 | (len(bomb) & 15), (len(bomb) >> 4 & 127) | 128, len(bomb) >> 11]) +
                         bytes.fromhex(hashlib.sha1(b"blob 100\0" + base).hexdigest()) + zlib.compress(bomb))
        cases = [
            ("corrupt", head + pack[:40] + bytes([pack[40] ^ 0xff]) + pack[41:], "git.pack"),
            ("wrong trailer", head + pack[:-1] + bytes([pack[-1] ^ 1]), "git.pack"),
            ("cut short", head + pack[:-30], "git.pack"),
            ("junk at the end", head + pack + b"junk", "git.pack"),
            ("another pack at the end", head + pack + pack, "git.pack"),
            ("fewer objects than said", head + resealed(pack[:8] + struct.pack(">I", 4) + pack[12:-20]), "git.pack"),
            ("a pack of 4 GB", head + four_gb, "git.pack"),
            ("a delta of 4 GB", head + delta, "git.pack"),
            ("too many objects", head + b"PACK" + struct.pack(">II", 2, 3000), "git.limit"),
            ("another version", head + b"PACK" + struct.pack(">II", 4, 1), "git.malformed"),
            ("no pack", head, "git.malformed"),
            ("unknown capability", commands(line, capabilities=CAPABILITIES + " time-travel") + pack, "git.malformed"),
            ("signed", commands(line, capabilities=CAPABILITIES + " push-cert") + pack, "git.malformed"),
            ("too many refs", commands(*(f"{NO_ID} {commit} refs/heads/agent/{i}" for i in range(10001))) + pack, "git.malformed"),
            ("pack for a removal", commands(f"{old} {NO_ID} refs/heads/agent/x") + pack, "git.malformed"),
            ("no commands", b"<html>", "git.malformed"),
        ]
        if thin != pack:
            cases.append(("thin", head + thin, "git.pack"))
        for name, body, rule in cases:
            with self.subTest(name):
                answer = self.post(here, body)
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 ") or answer.startswith(b"HTTP/1.1 403 "), answer[:200])
                row = self.rows(here)[-1]
                self.assertEqual((row["verdict"], row["rule_id"]), ("deny", rule), row["reason"])
                self.assertIn(rule.encode(), answer)
        self.assertEqual(self.upstream.pushes(), self.pushes)
        self.assertEqual(list((self.gates.directory / "quarantine").iterdir()), [])

    def test_gzip_with_something_after_it_is_refused(self):
        here = self.work()
        body = gzip.compress(commands(f"{self.at(here, 'HEAD')} {NO_ID} refs/heads/agent/x"))
        for rest in (b"junk", body):
            answer = self.post(here, body + rest, "Content-Encoding: gzip")
            self.assertIn(b"git.malformed", answer)
        self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_a_client_that_stops_midway_leaves_nothing(self):
        here = self.work()
        commit = self.commit(here, {"a.txt": "a\n"})
        before = len(self.gates.rows())
        self.post(here, commands(f"{NO_ID} {commit} refs/heads/agent/x") + b"PACK", finish=False)
        wait_until(lambda: len(self.gates.rows()) > before, 10, "the row of what was cut short")
        self.assertEqual(self.gates.rows()[-1]["rule_id"], "http.cut-short")
        self.assertEqual(self.upstream.pushes(), self.pushes)

    def test_without_a_gate_nothing_is_pushed_and_git_says_why(self):
        here = self.work()
        self.commit(here, {"a.txt": "a\n"})
        gate = self.gates.processes["gatehouse-git-gate"]
        gate.send_signal(signal.SIGKILL)
        gate.wait()
        try:
            done = self.push(here, "main")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("git.unavailable", done.stderr)
            self.assertIn(REFUSED, done.stderr)
            self.assertEqual(self.upstream.pushes(), self.pushes)
        finally:
            self.gates.start_git_gate()
        self.assertEqual(self.push(here, "main").returncode, 0)


if __name__ == "__main__":
    unittest.main()
