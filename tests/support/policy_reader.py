"""The process beside a gate that stands alone: at SIGHUP it reads the policy's files, which the gate itself may not."""

import os
import pathlib
import unittest


def check_is_all(test: unittest.TestCase, gate: int, foreign: set[str]) -> None:
    """Of the sockets that the gate has besides its own, `foreign`, there is one, to such a process, which is confined
    and has no other."""
    test.assertEqual(len(foreign), 1)
    [pid] = pathlib.Path(f"/proc/{gate}/task/{gate}/children").read_text().split()
    reader = pathlib.Path(f"/proc/{pid}")
    test.assertEqual((reader / "comm").read_text(), "policy-reader\n")
    test.assertRegex((reader / "status").read_text(), r"Seccomp:\s+2")
    links = [os.readlink(fd) for fd in (reader / "fd").iterdir()]
    test.assertEqual(len([link for link in links if link.startswith("socket:")]), 1)
