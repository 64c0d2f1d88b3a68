"""The protocol's official conformance suite, its auth scenarios of clients: the gateway is the client that gets access tokens.
Our own client has no OAuth, so there is no direct run to compare with: what is carried passes, check by check."""

import concurrent.futures
import sys
import unittest

from tests.support.conformance import install, run_suite, scenarios
from tests.support.house import ROOT

REVISIONS = ("2025-11-25", "2026-07-28")
# Extensions of the specification that the gateway has not, each run once to see that it still fails.
NOT_CARRIED = {
    "auth/client-credentials-jwt": "the gateway authenticates by a secret, not by a key (private_key_jwt)",
    "auth/enterprise-managed-authorization": "no identity provider's assertions are exchanged (RFC 8693, RFC 7523)",
    "auth/wif-jwt-bearer": "no workload's assertions are exchanged (RFC 7523)",
    "auth/dpop": "tokens are bearer tokens (RFC 6750)",
    "auth/dpop-nonce": "tokens are bearer tokens (RFC 6750)",
}
EXTENSIONS = {*NOT_CARRIED, "auth/client-credentials-basic"}  # listed with both revisions, and of neither


def run(of: tuple[str, str]) -> tuple[tuple[str, str], dict[str, str]]:
    revision, scenario = of
    wrapped = f"env PYTHONPATH={ROOT} {sys.executable} -m tests.support.conformance_oauth"
    [checks] = run_suite("client", "--command", wrapped, "--scenario", scenario, "--spec-version", revision, "--force",
                         "--timeout", "60000").values()
    return of, checks


class Authorization(unittest.TestCase):
    def test_what_is_carried_passes_in_both_revisions(self):
        install()
        wanted = [(revision, scenario) for revision in REVISIONS for scenario in scenarios(revision, "client")
                  if scenario.startswith("auth/") and (scenario not in EXTENSIONS or revision == REVISIONS[-1])]
        self.assertGreater(len(wanted), 40)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            found = dict(pool.map(run, wanted))
        failed = {of: {check for check, ended in checks.items() if ended in ("FAILURE", "WARNING")} for of, checks in found.items()}
        self.maxDiff = None
        self.assertEqual({of: checks for of, checks in failed.items() if checks and of[1] not in NOT_CARRIED}, {})
        self.assertEqual({scenario for (_, scenario), checks in failed.items() if checks}, set(NOT_CARRIED), "of the table")
        self.assertGreater(sum("SUCCESS" in checks.values() for checks in found.values()), 35)


if __name__ == "__main__":
    unittest.main()
