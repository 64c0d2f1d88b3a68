"""What a policy counts, on a proxy run by hand with several workers: used up is used up, also after a crash."""

import pathlib
import shutil
import signal
import socket
import tempfile
import time
import unittest

from tests.support.gates import Gates
from tests.support.upstream import Upstream, wait_until

HOST = "api.demo.test"


class Budgets(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-budgets-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.upstream = Upstream(self.directory / "upstream", [HOST])
        self.addCleanup(self.upstream.close)

    def gates(self, limits: dict, **rule) -> Gates:
        policy = {"http": [{"id": "api", "action": "allow", "hosts": [HOST], **rule}], "limits": limits,
                  "resolve": {HOST: f"127.0.0.1:{self.upstream.tls}"}}
        gates = Gates(self.directory / "gates", policy, "--upstream-ca", str(self.upstream.ca), "--workers", "3")
        self.addCleanup(gates.close)
        return gates

    def test_a_crash_hands_nothing_out_anew(self):
        gates = self.gates({"session": {"requests": 3}})
        for turn in range(3):
            self.assertEqual(gates.curl(f"https://{HOST}/v1/{turn}")[0], 200)
            if turn == 1:
                gates.processes["gatehouse-proxy"].send_signal(signal.SIGKILL)
                gates.processes["gatehouse-proxy"].wait()
                gates.start_proxy()
        seen = len(self.upstream.requests())
        for _ in range(5):
            status, body = gates.curl(f"https://{HOST}/v1/more")
            self.assertEqual(status, 429, body)
            self.assertIn("the budget of 3 requests for the session is used up", body)
        rows = gates.rows(path="/v1/more")
        self.assertEqual({(row["verdict"], row["rule_id"]) for row in rows}, {("deny", "limit.session")})
        self.assertEqual(len(self.upstream.requests()), seen)

    def test_bytes_that_come_in_are_counted_over_requests(self):
        (self.upstream.directory / "files" / "blob").write_bytes(b"x" * 60_000)
        gates = self.gates({"host": {"bytes_in": 100_000}})
        self.assertEqual(gates.curl(f"https://{HOST}/files/blob", "-o", "/dev/null")[0], 200)
        second = self.directory / "second"
        second.touch()
        answer = gates.curl(f"https://{HOST}/files/blob", "-o", str(second))
        self.assertLess(second.read_bytes().count(b"x"), 40_001, answer)
        # Nobody waits for the row of what is cut.
        wait_until(lambda: gates.rows(path="/files/blob", verdict="deny", rule_id="limit.host"), 10, "the denial's row")

    def test_a_rate_says_when_to_try_again(self):
        gates = self.gates({}, budget={"requests_per_minute": 2})
        self.assertEqual([gates.curl(f"https://{HOST}/v1/x")[0] for _ in range(3)], [200, 200, 429])
        _, answer = gates.curl(f"https://{HOST}/v1/x", "-i")
        self.assertRegex(answer, r"(?i)retry-after: \d+")
        self.assertIn('"rule": "api"', answer)

    def test_an_upstream_that_never_answers_is_given_the_policys_time(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            policy = {"http": [{"id": "api", "action": "allow", "hosts": [HOST], "schemes": ["http"]}],
                      "limits": {"first_byte_time": "1s"},
                      "resolve": {HOST: f"127.0.0.1:{silent.getsockname()[1]}"}}
            gates = Gates(self.directory / "gates", policy)
            self.addCleanup(gates.close)
            began = time.monotonic()
            status, body = gates.curl(f"http://{HOST}/x")
            self.assertEqual(status, 504, body)
            self.assertIn("upstream.timeout", body)
            self.assertLess(time.monotonic() - began, 15)


if __name__ == "__main__":
    unittest.main()
