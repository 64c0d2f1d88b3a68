"""The protocol's official conformance suite: what passes directly, passes through the gateway, check by check, in both
eras."""

import concurrent.futures
import pathlib
import shutil
import tempfile
import unittest

from tests.support.conformance import NODE, PACKAGES, Server, install, run_suite, scenarios
from tests.support.mcp_gate import McpGate

REVISIONS = ("2025-11-25", "2026-07-28")

# What is meant to be otherwise through the gateway: side, scenario, check, and why.
OTHERWISE = {
    ("server", "server-sse-polling", "server-sse-priming-event"): "what needs no stream is answered without one",
    ("server", "server-sse-polling", "server-sse-retry-field"): "what needs no stream is answered without one",
}
# What our fixtures do not have, so that it fails with and without the gateway.
NOT_CARRIED = {
    "client": ("auth/",),   # no OAuth: the gateway gives servers the policy's credentials; not run
    "server": ("tasks-",),  # an extension
}


def compared(direct: dict[str, dict[str, str]], through: dict[str, dict[str, str]]) -> dict[tuple[str, str], tuple]:
    """The checks that ended otherwise. One that only informs has nothing against it, and is none when it did so both times."""
    differing = {}
    for scenario in direct.keys() | through.keys():
        one, other = direct.get(scenario, {}), through.get(scenario, {})
        for check in one.keys() | other.keys():
            ended = (one.get(check), other.get(check))
            if ended[0] != ended[1] and {*ended} - {None, "INFO"} and {*ended} != {"SUCCESS", "INFO"}:
                differing[(scenario, check)] = ended
    return differing


class Conformance(unittest.TestCase):
    def check_direct(self, side: str, direct: dict[str, dict]) -> None:
        """Of each revision's scenarios what became of their checks."""
        excused = (*NOT_CARRIED[side], *(scenario for _, scenario, _ in OTHERWISE))
        for revision, found in direct.items():
            failed = [name for name, checks in found.items() if {*checks.values()} & {"FAILURE", "WARNING"}]
            self.assertEqual([name for name in failed if not name.startswith(excused)], [], f"directly, {revision}")
            self.assertGreater(sum("SUCCESS" in checks.values() for checks in found.values()), 4)

    def check(self, side: str, direct: dict[str, dict], through: dict[str, dict]) -> None:
        self.check_direct(side, direct)
        differing = {check: (revision, *ended) for revision in REVISIONS for check, ended in
                     compared(direct[revision], through[revision]).items()}
        self.maxDiff = None
        self.assertEqual({(side, *check): ended for check, ended in differing.items() if (side, *check) not in OTHERWISE}, {},
                         "at which revision, directly, through the gateway")
        self.assertEqual([key for key in OTHERWISE if key[0] == side and key[1:] not in differing], [],
                         "of the table, and not otherwise any more")

    def test_what_a_server_passes_it_passes_behind_the_gateway(self):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-mcp-"))
        self.addCleanup(shutil.rmtree, directory)
        server = Server()
        self.addCleanup(server.close)
        gate = McpGate(directory, {
            "servers": {"fixture": {"command": [str(NODE), str(PACKAGES / "server.mjs"), "--stdio"], "names": "own",
                                    "asks": ["elicitation", "sampling", "roots"]}},
            "tools": [{"id": "tools", "action": "allow", "server": "*", "tools": ["*"]}],
            "resources": [{"id": "resources", "action": "allow", "server": "*", "uris": ["**"]}],
            "prompts": [{"id": "prompts", "action": "allow", "server": "*", "prompts": ["*"]}]},
            dlp={"deny": ["credentials", "injection"]})
        self.addCleanup(gate.close)
        # One after the other: some checks are that something comes within a second.
        direct, through = ({revision: run_suite("server", "--url", url, "--requirements", revision) for revision in REVISIONS}
                           for url in (server.url, f"http://127.0.0.1:{gate.port}/mcp"))
        self.check("server", direct, through)
        self.assertTrue(gate.rows(tool="test_simple_text", verdict="allow"))

    def test_our_client_passes(self):
        def run(of: tuple[str, str]) -> tuple[str, dict]:
            revision, scenario = of
            return revision, run_suite("client", "--command", f"{NODE} {PACKAGES / 'client.mjs'}", "--scenario", scenario,
                                       "--spec-version", revision)
        install()
        wanted = [(revision, scenario) for revision in REVISIONS for scenario in scenarios(revision, "client")
                  if not scenario.startswith(NOT_CARRIED["client"])]
        direct: dict[str, dict] = {revision: {} for revision in REVISIONS}
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for revision, found in pool.map(run, wanted):
                direct[revision].update(found)
        self.check_direct("client", direct)


if __name__ == "__main__":
    unittest.main()
