"""What a session is: its exit code, its environment, its walls."""

import json
import os
import pathlib
import signal
import subprocess
import time

from tests.support.house import GATEHOUSE, HouseTest, Shell
from tests.support.upstream import wait_until


class Session(HouseTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = cls.house.policy({
            "http": [{"id": "read", "action": "allow", "hosts": ["api.demo.test"]}], "resolve": cls.resolve()})
        cls.options = ["--policy", cls.file, "--upstream-ca", str(cls.upstream.ca)]

    def run_command(self, name: str, *command: str, options=(), **more) -> subprocess.CompletedProcess:
        return self.house.gatehouse("run", *self.options, "--name", name, *options, "--", *command, **more)

    def test_returns_the_commands_own_exit_code(self):
        done = self.run_command("code", "sh", "-c", "exit 42")
        self.assertEqual(done.returncode, 42, done.stderr)
        self.assertRegex(done.stderr, r"0 allowed, 0 denied.*audit\.db")

    def test_says_127_for_a_command_that_is_not_there(self):
        self.assertEqual(self.run_command("missing", "no-such-command").returncode, 127)

    def test_ends_a_command_that_outlives_its_timeout(self):
        done = self.run_command("slow", "sleep", "600", options=["--timeout", "1"])
        self.assertEqual(done.returncode, 124, done.stderr)

    def test_forwards_a_signal_to_the_command(self):
        process = subprocess.Popen([GATEHOUSE, "run", *self.options, "--name", "signal", "--", "sh", "-c",
                                    "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.1; done"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.house.environment)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        self.assertEqual((output, process.returncode), (b"caught\n", 7))

    def test_is_a_world_of_its_own(self):
        os.environ["LEAK_ME"] = self.house.environment["LEAK_ME"] = "host-value"
        one = Shell(self.house, *self.options, "--name", "one", "--env", "GIVEN=yes")
        self.addCleanup(one.close)
        two = Shell(self.house, *self.options, "--name", "two")
        self.addCleanup(two.close)

        with self.subTest("nothing of the host's environment comes in but --env"):
            _, output = one.run("env")
            self.assertNotIn("LEAK_ME", output)
            self.assertNotIn("host-value", output)
            self.assertIn("GIVEN=yes", output)
            for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE",
                         "GIT_SSL_CAINFO"]:
                self.assertIn(name + "=", output)
        with self.subTest("there is no network card"):
            self.assertEqual(one.run("ls /sys/class/net")[1].split(), ["lo"])
            self.assertNotIn("thernet", one.run("lspci")[1])
        with self.subTest("the clock is right"):
            self.assertAlmostEqual(int(one.run("date +%s")[1]), time.time(), delta=5)
        with self.subTest("two sessions share neither files nor ports"):
            one.run("echo mine > /tmp/mine; python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1 &")
            code, _ = one.run("for i in $(seq 100); do curl -s http://127.0.0.1:8000/ >/dev/null && break; sleep 0.1; done")
            self.assertEqual(code, 0)
            self.assertNotEqual(two.run("cat /tmp/mine")[0], 0)
            self.assertEqual(two.run("curl -s http://127.0.0.1:8000/")[0], 7)
        with self.subTest("each has its own CA, and its own log"):
            self.assertNotEqual(one.run("tail -n 20 $SSL_CERT_FILE")[1], two.run("tail -n 20 $SSL_CERT_FILE")[1])
            two.run("curl -sS https://api.demo.test/only-two")
            self.assertTrue(self.rows("two", path="/only-two", verdict="allow"))
            self.assertFalse(self.rows("one", path="/only-two"))
        with self.subTest("a name that is already running is refused"):
            again = self.run_command("one", "true")
            self.assertEqual(again.returncode, 125)
            self.assertIn("already running", again.stderr)

    def test_leaves_no_process_behind_when_the_supervisor_is_killed(self):
        shell = Shell(self.house, *self.options, "--name", "killed")
        parts = ["gatehouse-proxy", "gatehouse-dns", "gatehouse-bridge", "qemu-system-x86_64"]
        self.assertTrue(all(self.house.pids("killed", part) for part in parts))
        shell.process.kill()
        shell.close()
        wait_until(lambda: not any(self.house.pids("killed", part) for part in parts), 10, "the house to be empty")
        self.assertEqual(self.run_command("killed", "true").returncode, 0)

    def test_a_child_has_neither_secrets_in_view_nor_more_rights_than_it_needs(self):
        shell = Shell(self.house, *self.options, "--name", "confined")
        self.addCleanup(shell.close)
        for part in ["gatehouse-proxy", "gatehouse-dns", "gatehouse-bridge", "qemu-system-x86_64"]:
            with self.subTest(part):
                (pid,) = self.house.pids("confined", part)
                for file in ["cmdline", "environ"]:
                    self.assertNotIn(b"PRIVATE KEY", pathlib.Path(f"/proc/{pid}/{file}").read_bytes())
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                self.assertRegex(status, r"Seccomp:\s+2")
                self.assertRegex(status, r"NoNewPrivs:\s+1")
                self.assertRegex(status, r"CapEff:\s+0+\n")
                self.assertRegex(pathlib.Path(f"/proc/{pid}/limits").read_text(), r"Max core file size\s+0\s+0")

    def test_refuses_what_it_cannot_read(self):
        broken = self.house.directory / "broken.json"
        broken.write_text('{ "version": 1, "name": "x", "htpp": [] }')
        for options, code, words in [
            (["--policy", str(broken)], 2, "did you mean 'http'"),
            (["--policy", "/nonexistent.json"], 2, "/nonexistent.json"),
            (["--image", "no-such-image"], 125, "no-such-image"),
            (["--env", "NOVALUE"], 2, "NOVALUE"),
            (["--memory", "lots"], 2, "lots"),
            (["--name", "../up"], 2, "../up"),
        ]:
            with self.subTest(options):
                done = self.house.gatehouse("run", *options, "--", "true")
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(words, done.stderr)

    def test_refuses_a_command_too_long_for_the_agent(self):
        done = self.house.gatehouse("run", "--", "true", *["x" * 100_000] * 12)
        self.assertEqual(done.returncode, 2)
        self.assertIn("over the limit of 1048576", done.stderr)

    def test_keeps_binary_input_and_output_intact(self):
        blob = os.urandom(300_000)
        process = subprocess.run([GATEHOUSE, "run", *self.options, "--name", "binary", "--", "cat"], input=blob,
                                 capture_output=True, env=self.house.environment, timeout=120)
        self.assertEqual(process.stdout, blob)

    def test_check_tells_whether_a_session_can_run(self):
        done = self.house.gatehouse("check")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for word in ["/dev/kvm", "QEMU", "vhost-user-vsock", "kernel", "image", "disk"]:
            self.assertIn(word, done.stdout)

    def test_policy_explains_the_verdict_that_the_gates_give(self):
        done = self.house.gatehouse("policy", "explain", "--policy", self.file, "GET https://evil.example/")
        self.assertIn("deny", done.stdout)
        self.assertIn("default-deny", done.stdout)

    def test_the_commands_run_are_in_the_log(self):
        self.run_command("logged", "sh", "-c", "exit 3")
        rows = self.rows("logged", table="exec_events")
        self.assertEqual([row["phase"] for row in rows], ["start", "exit"])
        self.assertEqual(rows[-1]["exit_code"], 3)
        self.assertIn("exit 3", json.dumps(rows[0]["argv"]))
