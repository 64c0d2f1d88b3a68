"""A request waits for a person: allowed, denied, out of time, and for the session, through the real VM."""

import json

from tests.support.house import HouseTest, Shell
from tests.support.upstream import wait_until

CURL = "curl -sS --max-time 60 -w '\\n%{http_code}\\n'"


class Approvals(HouseTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        policy = cls.house.policy({
            "http": [
                {"id": "first", "action": "ask", "hosts": ["api.demo.test"], "reason": "somebody looks at it first"},
            ],
            "limits": {"approval_time": "25s"},
            "resolve": cls.resolve(),
        })
        cls.shell = Shell(cls.house, "--policy", policy, "--name", "asking", "--upstream-ca", str(cls.upstream.ca))
        cls.addClassCleanup(cls.shell.close)

    def ask(self, path: str, number: int, options: str = "") -> None:
        """A request in the background of the guest; its output goes to a file named by `number`."""
        self.shell.run(f"({CURL} {options} https://api.demo.test{path} > /tmp/{number} 2>&1; touch /tmp/{number}.done) &")

    def output(self, number: int) -> str:
        return self.shell.run(f"while [ ! -e /tmp/{number}.done ]; do sleep 0.1; done; cat /tmp/{number}")[1]

    def waiting(self, path: str) -> dict:
        found = []

        def listed():
            done = self.house.gatehouse("approvals", "--json", "--session", "asking")
            self.assertEqual(done.returncode, 0, done.stderr)
            found[:] = [one for one in map(json.loads, done.stdout.splitlines()) if one["what"].endswith(path)]
            return found

        wait_until(listed, 30, f"{path} to wait")
        return found[0]

    def decide(self, *words: str):
        return self.house.gatehouse("approvals", *words, "--session", "asking")

    def rows_of(self, path: str) -> list[str]:
        return [row["verdict"] for row in self.rows("asking", table="net_events", path=path)]

    def test_nothing_is_sent_before_a_person_allows(self):
        self.ask("/v1/status", 1)
        one = self.waiting("/v1/status")
        self.assertEqual(one["what"], "GET https://api.demo.test/v1/status")
        self.assertEqual(one["rule"], "first")
        self.assertIn("somebody looks at it first", one["reason"])
        self.assertEqual([line for line in self.upstream.requests() if "/v1/status" in line], [])
        self.assertEqual(self.rows_of("/v1/status"), ["ask"])

        done = self.decide("allow", str(one["id"]))
        self.assertEqual(done.returncode, 0, done.stderr)
        output = self.output(1)
        self.assertIn("hello from api.demo.test/v1/status", output)
        self.assertIn("200", output)
        self.assertEqual(self.rows_of("/v1/status"), ["ask", "allow"])
        (row,) = [row for row in self.rows("asking", table="approvals") if row["what"].endswith("/v1/status")]
        self.assertEqual((row["verdict"], row["rule_id"], row["scope"]), ("allow", "first", "once"))
        self.assertTrue(row["by"])
        # Once is once, and what is settled cannot be settled again.
        self.assertEqual(self.decide("allow", str(one["id"])).returncode, 1)

    def test_the_agent_reads_that_a_person_denied_it(self):
        self.ask("/v1/denied", 2)
        one = self.waiting("/v1/denied")
        self.assertEqual(self.decide("deny", str(one["id"])).returncode, 0)
        output = self.output(2)
        self.assertIn("403", output)
        self.assertIn("approval was asked for: denied by", output)
        self.assertIn('"rule": "first"', output)
        self.assertEqual(self.rows_of("/v1/denied"), ["ask", "deny"])
        self.assertEqual([line for line in self.upstream.requests() if "/v1/denied" in line], [])

    def test_time_that_is_up_denies(self):
        self.ask("/v1/late", 3)
        self.waiting("/v1/late")
        output = self.output(3)
        self.assertIn("403", output)
        self.assertIn("nobody has decided within 25 s", output)
        (row,) = [row for row in self.rows("asking", table="approvals") if row["what"].endswith("/v1/late")]
        self.assertEqual((row["verdict"], row["by"]), ("deny", ""))
        self.assertEqual([line for line in self.upstream.requests() if "/v1/late" in line], [])

    def test_a_decision_for_the_session_holds_for_that_url_alone(self):
        self.ask("/v1/always", 4)
        one = self.waiting("/v1/always")
        self.assertEqual(self.decide("allow", str(one["id"]), "--for", "session").returncode, 0)
        self.assertIn("200", self.output(4))
        _, output = self.shell.run(f"{CURL} 'https://api.demo.test/v1/always?again=1'")
        self.assertIn("200", output)
        self.ask("/v1/always-not", 5)
        other = self.waiting("/v1/always-not")
        self.assertEqual(self.decide("deny", str(other["id"])).returncode, 0)
        self.assertIn("403", self.output(5))

    def test_a_session_that_does_not_run_cannot_be_asked(self):
        done = self.house.gatehouse("approvals", "--session", "nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn("session 'nobody' does not run", done.stderr)
