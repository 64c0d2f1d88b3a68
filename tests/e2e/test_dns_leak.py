"""No datagram leaves the host for a name that the policy denies: counted, around a real guest that tries."""

import sys
import unittest

from tests.support.outside import in_namespace


class Leak(unittest.TestCase):
    def test_in_a_network_where_every_packet_is_counted(self):
        done = in_namespace(sys.executable, "-m", "unittest", "-v", "tests.support.dns_leak")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
