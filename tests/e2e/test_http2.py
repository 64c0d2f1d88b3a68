"""HTTP/2 on either side of the proxy, with curl, nghttp and h2load as clients, nginx as upstream."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from tests.support.door import Door
from tests.support.gates import Gates
from tests.support.upstream import Upstream

HOST = "api.demo.test"
TOKEN = "ghp_" + "A" * 36


class Http2Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-h2-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, True)
        cls.upstream = Upstream(cls.directory / "upstream", [HOST, "old.demo.test"], http2=True)
        cls.addClassCleanup(cls.upstream.close)
        policy = {
            "http": [{"id": "all", "action": "allow", "hosts": [HOST], "schemes": ["http", "https"]},
                     {"id": "no", "action": "deny", "hosts": [HOST], "paths": ["/no"]}],
            "dlp": {"deny": ["credentials"]},
            "resolve": {HOST: f"127.0.0.1:{cls.upstream.tls}"},
        }
        cls.gates = Gates(cls.directory / "gates", policy, "--upstream-ca", str(cls.upstream.ca), dlp=True)
        cls.addClassCleanup(cls.gates.close)

    def door(self, port: int) -> Door:
        door = Door(self.gates, port)
        self.addCleanup(door.close)
        return door

    def test_curl_speaks_http2_to_the_upstream(self):
        self.assertEqual(self.gates.curl(f"https://{HOST}/protocol", "--http2"), (200, "HTTP/2.0\n"))
        self.assertEqual(self.gates.curl(f"https://{HOST}/protocol", "--http1.1"), (200, "HTTP/1.1\n"))

    def test_a_denial_is_readable_on_its_stream(self):
        status, told = self.gates.curl(f"https://{HOST}/no", "--http2", "--dump-header", "-")
        self.assertEqual(status, 403)
        self.assertIn("HTTP/2 403", told)
        self.assertIn('"rule": "no"', told)
        self.assertEqual(self.gates.rows(path="/no")[-1]["verdict"], "deny")

    def test_a_secret_is_found_wherever_http2_puts_it(self):
        before = self.upstream.requests()
        for where in (["-H", f"x-key: {TOKEN}"], ["--data", f"key={TOKEN}"], ["-H", f"cookie: a=1; b={TOKEN}"]):
            status, body = self.gates.curl(f"https://{HOST}/created", "--http2", *where)
            self.assertEqual(status, 403, where)
            self.assertIn("dlp.github-pat", body)
        self.assertEqual(self.upstream.requests(), before)

    def test_bodies_pass_both_ways_as_they_are(self):
        blob = os.urandom(3 << 20)
        (self.upstream.directory / "files" / "blob").write_bytes(blob)
        fetched = self.directory / "fetched"
        status, _ = self.gates.curl(f"https://{HOST}/files/blob", "--http2", "-o", str(fetched))
        self.assertEqual((status, fetched.read_bytes() == blob), (200, True))
        (self.directory / "sent").write_bytes(b"x" * (2 << 20))
        status, body = self.gates.curl(f"https://{HOST}/created", "--http2", "--data-binary", f"@{self.directory}/sent")
        self.assertEqual((status, body), (201, "created\n"))

    def test_another_name_on_the_connection_is_misdirected(self):
        status, body = self.gates.curl(f"https://{HOST}/", "--http2", "-H", "Host: other.demo.test")
        self.assertEqual(status, 421)
        self.assertIn("name.mismatch", body)

    def test_h2load_has_all_its_streams_answered(self):
        door = self.door(443)
        done = subprocess.run(["h2load", "-n", "400", "-c", "4", "-m", "25", f"--connect-to=127.0.0.1:{door.port}",
                               f"https://{HOST}/protocol"], capture_output=True, text=True, timeout=60)
        self.assertRegex(done.stdout, r"requests: 400 total, 400 started, 400 done, 400 succeeded, 0 failed",
                         done.stderr)
        self.assertEqual(len(self.gates.rows(path="/protocol", channel="https")) >= 400, True)

    def test_nghttp_speaks_it_by_prior_knowledge(self):
        door = self.door(80)
        done = subprocess.run(["nghttp", "-v", "--no-dep", "-H", f":authority: {HOST}", f"http://127.0.0.1:{door.port}/no"],
                              capture_output=True, text=True, timeout=30)
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
        self.assertIn(":status: 403", said)
        self.assertIn("gatehouse-rule: no", said)


if __name__ == "__main__":
    unittest.main()
