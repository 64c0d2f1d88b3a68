"""A person at a terminal, and a house that loses a part it cannot replace."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from tests.support.house import BOOT_SECONDS, GATEHOUSE, HouseTest, Shell
from tests.support.upstream import wait_until


class Terminal:
    """`gatehouse run` on a terminal of its own."""

    def __init__(self, house, *arguments: str):
        self.master, self.slave = pty.openpty()
        self.resize(33, 101)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([GATEHOUSE, "run", *arguments], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env=house.environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def expect(self, pattern: str, seconds: float = 30) -> str:
        """What the pattern's group matched; what was shown up to there is used up."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no {pattern!r} in {self.seen!r}")
            self.seen += os.read(self.master, 65536).decode(errors="replace")
        self.seen = self.seen[found.end():]
        return found.group(found.lastindex or 0)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Interactive(HouseTest):
    def test_a_shell_on_a_terminal(self):
        terminal = Terminal(self.house, "--name", "tty", "--", "sh")
        self.addCleanup(terminal.close)
        terminal.expect("booting the guest")
        terminal.expect("# ", BOOT_SECONDS)
        with self.subTest("it has a terminal of the same size"):
            terminal.type("stty size\n")
            self.assertEqual(terminal.expect(r"\n(\d+ \d+)\r"), "33 101")
        with self.subTest("a new size of the window reaches it"):
            terminal.resize(44, 111)
            terminal.type("until [ \"$(stty size)\" = '44 111' ]; do :; done; echo re''sized\n")
            terminal.expect("resized")
        with self.subTest("^C goes to the command, not to us"):
            # A shell of its own says so: between fork and exec the outer one's child still has the handler of its parent,
            # and a signal then is lost.
            terminal.type("sh -c 'echo sle\"\"eping; exec sleep 600'\n")
            terminal.expect("sleeping")
            terminal.type("\x03")
            terminal.type("echo interr''upted\n")
            terminal.expect("interrupted")
        with self.subTest("its end gives the code, the summary and the terminal back"):
            terminal.type("exit 9\n")
            terminal.expect("0 allowed, 0 denied")
            self.assertEqual(terminal.process.wait(30), 9)
            self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_what_the_guest_leaves_on_the_terminal_hides_nothing(self):
        terminal = Terminal(self.house, "--", "printf", r"last words\033[8m\033]0;")
        self.addCleanup(terminal.close)
        after = terminal.expect(r"(?s)last words\x1b\[8m\x1b\]0;(.*?)gatehouse: 0 allowed, 0 denied", BOOT_SECONDS)
        self.assertEqual(after, "\x1b\\\x1b[!p\x1b[0m\r\n")

    def test_signals_end_a_boot(self):
        for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
            with self.subTest(number.name):
                process = subprocess.Popen([GATEHOUSE, "run", "--name", "early", "--", "true"], env=self.house.environment,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                wait_until(lambda: self.house.pids("early", "qemu-system-x86_64"), 60, "QEMU")
                process.send_signal(number)
                self.assertEqual(process.wait(30), 128 + number)
                self.assertEqual(self.house.pids("early", "qemu-system-x86_64"), [])


class FailClosed(HouseTest):
    def test_without_bridge_or_machine_the_session_ends(self):
        for part, name in [("gatehouse-bridge", "bridge"), ("qemu-system-x86_64", "qemu")]:
            with self.subTest(name):
                shell = Shell(self.house, "--name", f"lost-{name}")
                (pid,) = self.house.pids(f"lost-{name}", part)
                os.kill(pid, signal.SIGKILL)
                self.assertEqual(shell.process.wait(30), 125)
                shell.close()
                self.assertIn(f"{name} was killed by signal 9 (Killed): the session cannot go on without it", shell.stderr())
                for other in ["gatehouse-bridge", "qemu-system-x86_64", "gatehouse-proxy", "gatehouse-dns"]:
                    self.assertEqual(self.house.pids(f"lost-{name}", other), [])
                self.assertTrue(self.rows(f"lost-{name}", table="process_events", process=name, phase="crash"))
