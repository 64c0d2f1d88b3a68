"""Gates die by SIGKILL under load, ten times each: nothing the upstream has seen may be without its committed row."""

import contextlib
import os
import signal
import sqlite3
import time

from tests.support.house import HouseTest, Shell
from tests.support.upstream import wait_until

LOAD = r"""
cat > /tmp/load.py <<'PY'
import http.client, itertools, os, ssl, sys, threading
stop = '/tmp/stop'
counter = itertools.count()
context = ssl.create_default_context()  # reading the roots takes an emulated CPU half a second
def work():
    while not os.path.exists(stop):
        connection = http.client.HTTPSConnection('api.demo.test', timeout=5, context=context)
        try:
            for _ in range(20):
                connection.request('GET', f'/load/{next(counter)}')
                connection.getresponse().read()
        except Exception:
            pass
        finally:
            connection.close()
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
PY
rm -f /tmp/stop; python3 /tmp/load.py > /tmp/load.out 2>&1 &
"""


class Crash(HouseTest):
    def test_sigkill_of_proxy_and_dns_under_load_loses_no_row(self):
        policy = self.house.policy({"http": [{"id": "read", "action": "allow", "hosts": ["api.demo.test"]}],
                                    "resolve": self.resolve()})
        shell = Shell(self.house, "--policy", policy, "--name", "crash", "--upstream-ca", str(self.upstream.ca))
        self.addCleanup(shell.close)
        shell.run(LOAD)
        for turn in range(20):
            gate = ["gatehouse-proxy", "gatehouse-dns"][turn % 2]
            with self.subTest(f"{gate}, kill {turn + 1}"):
                seen = len(self.upstream.requests())
                wait_until(lambda: len(self.upstream.requests()) > seen + 5, 30, "load before the kill")
                (old,) = self.house.pids("crash", gate)
                os.kill(old, signal.SIGKILL)
                killed = time.monotonic()
                wait_until(lambda: self.house.pids("crash", gate) not in ([], [old]), 1, f"{gate} again")
                seen = len(self.upstream.requests())
                wait_until(lambda: len(self.upstream.requests()) > seen, 1 - (time.monotonic() - killed),
                           "the session to work again")
        shell.run("touch /tmp/stop; wait")

        database = sqlite3.connect(f"file:{self.house.directory}/state/gatehouse/sessions/crash/audit.db?mode=ro", uri=True)
        self.addCleanup(database.close)
        logged = {path for (path,) in database.execute("SELECT path FROM net_events WHERE verdict = 'allow'")}
        seen = {line.split()[2] for line in self.upstream.requests()}
        self.assertGreater(len(seen), 100)
        self.assertEqual(seen - logged, set())
        crashes = self.rows("crash", table="process_events", phase="crash")
        self.assertEqual(len(crashes), 20)
        verified = self.house.gatehouse("audit", "verify", "crash")
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

        two = [seq for (seq,) in database.execute(
            "SELECT seq FROM net_events WHERE writer = 'proxy' AND verdict = 'allow' ORDER BY seq LIMIT 2")]
        for tampering, sql, told in [
            ("edited", [f"UPDATE net_events SET path = '/innocent' WHERE writer = 'proxy' AND seq = {two[0]}"], "edited"),
            ("deleted", [f"DELETE FROM net_events WHERE writer = 'proxy' AND seq = {two[0]}"], "missing"),
            ("swapped", [f"UPDATE net_events SET seq = {to} WHERE writer = 'proxy' AND seq = {at}"
                         for at, to in [(two[0], 10**9), (two[1], two[0]), (10**9, two[1])]], "out of order"),
        ]:
            with self.subTest(f"a row that was {tampering}"):
                copy = self.house.directory / f"{tampering}.db"
                with contextlib.closing(sqlite3.connect(copy)) as changed:
                    database.backup(changed)
                    for statement in sql:
                        changed.execute(statement)
                    changed.commit()
                os.chmod(copy, 0o600)
                verified = self.house.gatehouse("audit", "verify", str(copy))
                self.assertEqual(verified.returncode, 3, verified.stdout + verified.stderr)
                self.assertIn(told, verified.stdout)
                self.assertIn(f"{two[0]}", verified.stdout)
