"""git in a real guest: an ordinary ssh remote leads over https, a clean push arrives, one with a secret is refused in
words on the agent's terminal."""

from tests.support.git_upstream import GitUpstream, git
from tests.support.house import House, HouseTest, Shell

HOST = "git.demo.test"
SETTINGS = "-c user.name=Agent -c user.email=agent@demo.test"


class GitInTheGuest(HouseTest):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)
        cls.upstream = GitUpstream(cls.house.directory / "upstream", [HOST])
        cls.addClassCleanup(cls.upstream.close)

    def test_an_agent_clones_and_pushes_what_it_may(self):
        bare = self.upstream.make("app")
        seed = self.house.directory / "seed"
        git("init", "-q", "-b", "main", str(seed))
        (seed / "README.md").write_text("hello\n")
        git("-C", str(seed), "add", "-A")
        git("-C", str(seed), "commit", "-q", "-m", "first")
        git("-C", str(seed), "push", "-q", str(bare), "main")
        policy = self.house.policy({
            "git": [{"id": "app", "action": "allow", "remotes": [f"https://{HOST}/git/app.git"],
                     "push": {"branches": ["agent/**"]}}],
            "resolve": {HOST: f"127.0.0.1:{self.upstream.tls}"}})
        shell = Shell(self.house, "--name", "git", "--image", "git", "--policy", policy, "--upstream-ca",
                      str(self.upstream.ca))
        try:
            code, told = shell.run(f"cd /root && git clone -q git@{HOST}:git/app.git && cd app && cat README.md")
            self.assertEqual((code, told), (0, "hello\n"))
            code, told = shell.run(f"echo more >a.txt && git add a.txt && git {SETTINGS} commit -qm more && "
                                   "git push -q origin HEAD:agent/topic")
            self.assertEqual(code, 0, told)
            pushes = self.upstream.pushes()
            code, told = shell.run("printf 'A=1\\nTOKEN=ghp_%036d\\n' 0 | tr 0 A >prod.env && git add prod.env && "
                                   f"git {SETTINGS} commit -qm env && git push origin HEAD:agent/topic")
            self.assertEqual(code, 1)
            for words in ("Gatehouse refused this push. Nothing of it was sent.", "in prod.env line 2", "[remote rejected]"):
                self.assertIn(words, told)
            code, told = shell.run("git reset -q --hard HEAD~1 && git push origin HEAD:main")
            self.assertEqual(code, 1)
            self.assertIn("only branches may be pushed: agent/**", told)
            self.assertEqual(self.upstream.pushes(), pushes)
        finally:
            shell.close()
        rows = [(row["ref"], row["verdict"], row["rule_id"]) for row in self.rows("git", table="git_events")]
        self.assertEqual(rows, [("refs/heads/agent/topic", "allow", "app"),
                                ("refs/heads/agent/topic", "deny", "dlp.github-pat"),
                                ("refs/heads/main", "deny", "git.branch")])
        self.assertEqual(git("-C", str(bare), "log", "--format=%s", "agent/topic").stdout, "more\nfirst\n")
