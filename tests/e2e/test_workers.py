"""Two workers under everything at once: HTTP/1.1 and HTTP/2, kept and new connections, bodies that are scanned, policies that
come and go. `scripts/test unit` runs it again with ThreadSanitizer (GATEHOUSE_PRESET=tsan)."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from tests.support.gates import Gates
from tests.support.upstream import Upstream, wait_until

HOST = "api.demo.test"
EACH = 200  # requests of each load
RELOADS = 10


class Workers(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-workers-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.upstream = Upstream(self.directory / "upstream", [HOST], http2=True)
        self.addCleanup(self.upstream.close)

    def policy(self, generation: int) -> dict:
        return {"version": 1, "name": "workers",
                "http": [{"id": f"rule-{generation}", "action": "allow", "hosts": [HOST], "budget": {"requests": 1_000_000}}],
                "resolve": {HOST: f"127.0.0.1:{self.upstream.tls}"}}

    def curl(self, gates: Gates, name: str, *options: str) -> list[str]:
        """The status of each of EACH requests, many at once."""
        done = subprocess.run(
            ["curl", "-sS", "--parallel", "--parallel-max", "16", "--max-time", "300", "--proxy", f"http://127.0.0.1:{gates.port}",
             "--cacert", str(gates.ca), "-o", "/dev/null", "-w", "%{http_code}\n", *options, f"https://{HOST}/{name}/[1-{EACH}]"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def test_serve_all_and_no_thread_is_in_the_way_of_another(self):
        gates = Gates(self.directory / "gates", self.policy(0), "--workers", "2", "--upstream-ca", str(self.upstream.ca), dlp=True)
        self.addCleanup(gates.close)
        loads = {"kept": ["--http1.1"], "new": ["--http1.1", "-H", "Connection: close"], "two": ["--http2"],
                 "posted": ["--http1.1", "-d", "note=" + "hello " * 2000], "posted-two": ["--http2", "-d", "note=hello"]}
        with concurrent.futures.ThreadPoolExecutor(len(loads)) as pool:
            running = {name: pool.submit(self.curl, gates, name, *options) for name, options in loads.items()}
            for generation in range(1, RELOADS + 1):
                gates.policy.write_text(json.dumps(self.policy(generation)))
                os.kill(gates.pid("gatehouse-proxy"), signal.SIGHUP)
                wait_until(lambda: len(gates.rows("policy_events", phase="reloaded")) == generation, 60, "the new policy")
            for name, load in running.items():
                self.assertEqual(load.result(), ["200"] * EACH, name)
        rows = gates.rows(verdict="allow")
        self.assertEqual(len(rows), EACH * len(loads))
        self.assertGreater(len({row["rule_id"] for row in rows}), 1, "policies changed under the load")
        gates.close()
        for name, process in gates.processes.items():
            said = (gates.directory / f"{name}.log").read_text()
            self.assertNotIn("ThreadSanitizer", said)
            self.assertEqual(process.returncode, 0, said)


if __name__ == "__main__":
    unittest.main()
