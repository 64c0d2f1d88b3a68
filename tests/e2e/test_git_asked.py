"""A session that at first lets nothing be pushed: a reload opens it, and each push then waits for a person."""

import json

from tests.support.git_upstream import GitUpstream, git
from tests.support.house import House, HouseTest, Shell
from tests.support.upstream import wait_until

HOST = "git.demo.test"
SETTINGS = "-c user.name=Agent -c user.email=agent@demo.test"


class Asked(HouseTest):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)
        cls.upstream = GitUpstream(cls.house.directory / "upstream", [HOST])
        cls.addClassCleanup(cls.upstream.close)

    def policy(self, *rules: dict, approval_time: str = "1min") -> str:
        remotes = [f"https://{HOST}/git/app.git"]
        return self.house.policy({"git": [{"remotes": remotes, **rule} for rule in rules],
                                  "limits": {"approval_time": approval_time},
                                  "resolve": {HOST: f"127.0.0.1:{self.upstream.tls}"}})

    def reload(self) -> None:
        done = self.house.gatehouse("policy", "reload", "--session", "asked")
        self.assertEqual(done.returncode, 0, done.stderr)

    def push(self, name: str) -> None:
        """In the background of the guest, a commit of its own to a branch of its own."""
        self.shell.run(f"echo {name} >{name}.txt && git add . && git {SETTINGS} commit -qm {name} && "
                       f"(git push origin HEAD:agent/{name} >/tmp/{name} 2>&1; echo $? >/tmp/{name}.done) &")

    def outcome(self, name: str) -> tuple[str, str]:
        _, told = self.shell.run(f"while [ ! -s /tmp/{name}.done ]; do sleep 0.1; done; cat /tmp/{name}.done /tmp/{name}", 90)
        code, _, words = told.partition("\n")
        return code, words

    def waiting(self) -> dict:
        found = []

        def listed():
            found[:] = map(json.loads, self.house.gatehouse("approvals", "--json", "--session", "asked").stdout.splitlines())
            return found

        wait_until(listed, 60, "the push to wait")
        return found[0]

    def decide(self, *words: str) -> None:
        done = self.house.gatehouse("approvals", *words, "--session", "asked")
        self.assertEqual(done.returncode, 0, done.stderr)

    def verdicts(self, name: str) -> list[tuple[str, str]]:
        rows = self.rows("asked", table="git_events", ref=f"refs/heads/agent/{name}")
        return [(row["verdict"], row["rule_id"]) for row in rows]

    def test_a_push_waits_for_a_person(self):
        bare = self.upstream.make("app")
        seed = self.house.directory / "seed"
        git("init", "-q", "-b", "main", str(seed))
        git("-C", str(seed), "commit", "-q", "--allow-empty", "-m", "first")
        git("-C", str(seed), "push", "-q", str(bare), "main")
        read = {"id": "read", "action": "allow"}
        asking = {"id": "asking", "action": "ask", "fetch": False, "push": {"branches": ["agent/**"]},
                  "reason": "somebody looks at it first"}
        self.shell = Shell(self.house, "--name", "asked", "--image", "git", "--policy", self.policy(read), "--upstream-ca",
                           str(self.upstream.ca))
        self.addCleanup(self.shell.close)
        code, told = self.shell.run(f"cd /root && git clone -q https://{HOST}/git/app.git && cd app && git branch")
        self.assertEqual(code, 0, told)

        with self.subTest("what the policy does not let is refused, and a reload lets it"):
            self.push("early")
            code, told = self.outcome("early")
            self.assertEqual(code, "1" if "rejected" in told else "128", told)
            self.assertIn("rule 'read' names it, but not for that", told)
            self.policy(read, asking)
            self.reload()

        with self.subTest("allowed"):
            self.push("good")
            one = self.waiting()
            self.assertEqual(one["rule"], "asking")
            self.assertIn("git-receive-pack", one["what"])
            self.assertIn("somebody looks at it first", one["reason"])
            self.assertEqual(self.upstream.pushes(), 0)
            self.assertEqual(self.verdicts("good"), [("ask", "asking")])
            self.decide("allow", str(one["id"]))
            code, told = self.outcome("good")
            self.assertEqual(code, "0", told)
            self.assertEqual(self.upstream.pushes(), 1)
            self.assertEqual(git("-C", str(bare), "log", "-1", "--format=%s", "agent/good").stdout, "good\n")
            self.assertEqual(self.verdicts("good"), [("ask", "asking"), ("allow", "asking")])
            (row,) = self.rows("asked", table="approvals")
            self.assertEqual((row["verdict"], row["rule_id"]), ("allow", "asking"))

        with self.subTest("denied"):
            self.push("bad")
            self.decide("deny", str(self.waiting()["id"]))
            code, told = self.outcome("bad")
            self.assertEqual(code, "1", told)
            self.assertIn("Gatehouse refused this push. Nothing of it was sent.", told)
            self.assertIn("approval was asked for: denied by", told)
            self.assertEqual(self.verdicts("bad"), [("ask", "asking"), ("deny", "asking")])

        with self.subTest("what may not be pushed is not even asked for"):
            code, told = self.shell.run("git push origin HEAD:main")
            self.assertEqual(code, 1)
            self.assertIn("only branches may be pushed: agent/**", told)

        with self.subTest("nobody decides"):
            self.policy(read, asking, approval_time="3s")
            self.reload()
            self.push("late")
            code, told = self.outcome("late")
            self.assertEqual(code, "1", told)
            self.assertIn("nobody has decided within 3 s", told)
            self.assertEqual(self.verdicts("late"), [("ask", "asking"), ("deny", "asking")])
        self.assertEqual(self.upstream.pushes(), 1)
