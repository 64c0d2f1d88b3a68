"""The protocol's official conformance suite: what passes directly, passes through the gateway, check by check, in both
eras, at both sides."""

import concurrent.futures
import pathlib
import shutil
import sys
import tempfile
import unittest

from tests.support.conformance import NODE, PACKAGES, Server, install, run_suite, scenarios
from tests.support.house import ROOT
from tests.support.mcp_gate import McpGate

REVISIONS = ("2025-11-25", "2026-07-28")

# What is meant to be otherwise through the gateway: side, scenario, check, and why.
UNSTREAMED = "what needs no stream is answered without one"
UNDECLARED = "what a client can answer is told to a server with that client's requests, and this scenario has none of them"
OTHERWISE = {
    ("server", "server-sse-polling", "server-sse-priming-event"): UNSTREAMED,
    ("server", "server-sse-polling", "server-sse-retry-field"): UNSTREAMED,
    ("client", "request-metadata", "sep-2575-client-declares-elicitation-capability"): UNDECLARED,
    ("client", "request-metadata", "sep-2575-client-declares-roots-capability"): UNDECLARED,
    ("client", "request-metadata", "sep-2575-client-declares-sampling-capability"): UNDECLARED,
}
# What our fixtures do not have, so that it fails with and without the gateway.
NOT_CARRIED = {
    "client": ("auth/",),  # not run here: test_mcp_conformance_auth.py
    "server": ("tasks-", "server-sse-polling"),  # an extension, and a store of events
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
    def check(self, side: str, direct: dict[str, dict], through: dict[str, dict]) -> None:
        """Of each revision's scenarios what became of their checks."""
        for revision, found in direct.items():
            failed = [name for name, checks in found.items() if {*checks.values()} & {"FAILURE", "WARNING"}]
            self.assertEqual([name for name in failed if not name.startswith(NOT_CARRIED[side])], [], f"directly, {revision}")
            self.assertGreater(sum("SUCCESS" in checks.values() for checks in found.values()), 4)
            self.assertEqual(*({name for name, checks in one.items() if "FAILURE" not in checks.values()}
                               for one in (found, through[revision])), f"the scenarios that pass, {revision}")
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

    def test_what_a_client_passes_it_passes_in_front_of_the_gateway(self):
        install()
        wrapped = f"env PYTHONPATH={ROOT} {sys.executable} -m tests.support.conformance_upstream"

        def run(of: tuple[str, str, str]) -> tuple[tuple, dict]:
            command, revision, scenario = of
            return of, run_suite("client", "--command", command, "--scenario", scenario, "--spec-version", revision,
                                 "--timeout", "60000")
        commands = (f"{NODE} {PACKAGES / 'client.mjs'}", wrapped)
        wanted = [(command, revision, scenario) for command in commands for revision in REVISIONS
                  for scenario in scenarios(revision, "client") if not scenario.startswith(NOT_CARRIED["client"])]
        direct, through = ({revision: {} for revision in REVISIONS} for _ in commands)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for (command, revision, _), found in pool.map(run, wanted):
                (through if command == wrapped else direct)[revision].update(found)
        self.check("client", direct, through)


if __name__ == "__main__":
    unittest.main()
