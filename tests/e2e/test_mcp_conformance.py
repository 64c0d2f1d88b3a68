"""The protocol's official conformance suite against a server and a client of ours, in both eras: what is to pass through the
gateway has to pass without it."""

import concurrent.futures
import unittest

from tests.support.conformance import NODE, PACKAGES, Server, run_suite, scenarios

REVISIONS = ("2025-11-25", "2026-07-28")

# What our fixtures do not have.
NOT_CARRIED = {
    "client": ("auth/",),   # the client has no OAuth, the gateway gives credentials of the policy
    "server": ("tasks-",),  # an extension
}
UNSTREAMED = "server-sse-polling"  # asks for an event store, which our server has none of, and only warns


class Conformance(unittest.TestCase):
    def check(self, side: str, found: dict[str, dict[str, str]]) -> None:
        failed = {name: checks for name, checks in found.items()
                  if {*checks.values()} & {"FAILURE", "WARNING"} and not name.startswith((*NOT_CARRIED[side], UNSTREAMED))}
        self.assertEqual(failed, {})
        self.assertGreater(sum("SUCCESS" in checks.values() for checks in found.values()), 4)

    def test_our_server_passes(self):
        server = Server()
        self.addCleanup(server.close)
        for revision in REVISIONS:
            with self.subTest(revision):
                self.check("server", run_suite("server", "--url", server.url, "--requirements", revision))

    def test_our_client_passes(self):
        def run(scenario: str) -> dict[str, dict[str, str]]:
            return run_suite("client", "--command", f"{NODE} {PACKAGES / 'client.mjs'}", "--scenario", scenario,
                             "--spec-version", revision)
        for revision in REVISIONS:
            wanted = [name for name in scenarios(revision, "client") if not name.startswith(NOT_CARRIED["client"])]
            found: dict[str, dict[str, str]] = {}
            with self.subTest(revision), concurrent.futures.ThreadPoolExecutor(3) as pool:
                for one in pool.map(run, wanted):
                    found |= one
                self.check("client", found)


if __name__ == "__main__":
    unittest.main()
