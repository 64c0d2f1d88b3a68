"""Ways of git's other than smart HTTP: none leads out, real git says why, and each leaves its row."""

import pathlib
import shutil
import sys
import tempfile
import unittest

from tests.support.gates import Gates
from tests.support.git_upstream import GitUpstream, git

HOST = "git.demo.test"
BUNDLES = "bundles.demo.test"
# As ssh's ProxyCommand and git's core.gitProxy want it: a connection to HOST PORT through the proxy at the first two.
CONNECT = """import os, select, socket, sys
stream = socket.create_connection((sys.argv[1], int(sys.argv[2])))
stream.sendall(f"CONNECT {sys.argv[3]}:{sys.argv[4]} HTTP/1.1\\r\\nHost: {sys.argv[3]}:{sys.argv[4]}\\r\\n\\r\\n".encode())
head = b""
while not head.endswith(b"\\r\\n\\r\\n"):
    head += stream.recv(1)
asked = [stream, 0]
while stream in asked:
    for ready in select.select(asked, [], [])[0]:
        piece = stream.recv(65536) if ready is stream else os.read(0, 65536)
        if not piece:
            asked.remove(ready)
        elif ready is stream:
            os.write(1, piece)
        else:
            stream.sendall(piece)
"""


class Elsewhere(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-git-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = GitUpstream(cls.directory / "upstream", [HOST, BUNDLES])
        cls.addClassCleanup(cls.upstream.close)
        tls = f"127.0.0.1:{cls.upstream.tls}"
        cls.gates = Gates(cls.directory / "gates", {
            "git": [{"id": "app", "action": "allow", "remotes": [f"https://{HOST}/git/*.git"], "push": {"branches": ["**"]}}],
            "http": [{"id": "bundles", "action": "allow", "hosts": [BUNDLES], "methods": ["GET"], "paths": ["/git/bundles/**"]}],
            "resolve": {HOST: tls, BUNDLES: tls}}, "--upstream-ca", str(cls.upstream.ca), dlp=True, git=True)
        cls.addClassCleanup(cls.gates.close)
        cls.environment = {"https_proxy": f"http://127.0.0.1:{cls.gates.port}", "GIT_SSL_CAINFO": str(cls.gates.ca)}
        connect = cls.directory / "connect.py"
        connect.write_text(CONNECT)
        cls.connect = f"{sys.executable} {connect} 127.0.0.1 {cls.gates.port}"
        cls.bare = cls.upstream.make("app")
        cls.here = cls.directory / "here"
        git("init", "-q", "-b", "main", str(cls.here))
        git("-C", str(cls.here), "commit", "-q", "--allow-empty", "-m", "first")
        git("-C", str(cls.here), "push", "-q", str(cls.bare), "main")

    def refused(self, done, rule: str, port: int, words: str) -> None:
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(words, done.stderr)
        row = self.gates.rows()[-1]
        self.assertEqual((row["verdict"], row["rule_id"], row["port"]), ("deny", rule, port), row["reason"])
        self.assertEqual(self.upstream.backend.asked, self.asked)

    def setUp(self):
        self.asked = list(self.upstream.backend.asked)

    def test_ssh_is_refused_in_words(self):
        ssh = {"GIT_SSH_COMMAND": f"ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
                                  f"-o ProxyCommand='{self.connect} %h %p'", "GIT_SSH_VARIANT": "ssh"}
        for arguments in (("clone", "-q", f"ssh://git@{HOST}:22/git/app.git", str(self.directory / "by-ssh")),
                          ("-C", str(self.here), "push", f"git@{HOST}:git/app.git", "main:agent/x")):
            with self.subTest(arguments[0]):
                self.refused(git(*arguments, check=False, env=ssh), "protocol.ssh", 22, "Gatehouse: ssh has no way out of here")

    def test_gits_own_protocol_is_refused_in_words(self):
        proxy = self.directory / "git-proxy"
        proxy.write_text(f"#!/bin/sh\nexec {self.connect} \"$@\"\n")
        proxy.chmod(0o755)
        for arguments in (("clone", "-q", f"git://{HOST}/git/app.git", str(self.directory / "by-git")),
                          ("-C", str(self.here), "push", f"git://{HOST}/git/app.git", "main:agent/x")):
            with self.subTest(arguments[0]):
                done = git("-c", f"core.gitProxy={proxy}", *arguments, check=False)
                self.refused(done, "protocol.git", 9418, "remote error: Gatehouse: git:// has no way out of here")

    def test_bundles_are_judged_as_the_requests_that_fetch_them(self):
        bundle = self.directory / "app.bundle"
        git("-C", str(self.here), "bundle", "create", "-q", str(bundle), "main")
        for number, (url, verdict, rule) in enumerate(((f"https://{BUNDLES}/git/bundles/app.bundle", "allow", "bundles"),
                                                       (f"https://{BUNDLES}/git/other/app.bundle", "deny", "default-deny"),
                                                       ("https://elsewhere.demo.test/app.bundle", "deny", "default-deny"))):
            with self.subTest(url):
                done = git("clone", "-q", f"--bundle-uri={url}", f"https://{HOST}/git/app.git",
                           str(self.directory / f"bundled-{number}"), check=False, env=self.environment)
                self.assertEqual(done.returncode, 0, done.stderr)  # git warns, and goes on without
                row = next(row for row in self.gates.rows() if row["host"] == url.split("/")[2] and row["path"].endswith(".bundle")
                           and row["path"] in url)
                self.assertEqual((row["verdict"], row["rule_id"]), (verdict, rule))
                if verdict == "deny":  # of the words git tells no more than that
                    self.assertIn("failed to download bundle", done.stderr)
                    status, text = self.gates.curl(url)
                    self.assertEqual(status, 403)
                    self.assertIn("default-deny", text)


if __name__ == "__main__":
    unittest.main()
