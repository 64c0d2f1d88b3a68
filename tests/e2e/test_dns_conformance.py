"""What gatehouse-dns says on the wire, in the eyes of others: dig, kdig, dnspython and c-ares. (dns/resolver_test.cc has the
same kinds of cases under the gate's own reader.)"""

import ctypes
import pathlib
import random
import re
import shlex
import shutil
import struct
import tempfile
import unittest

import dns.flags
import dns.message
import dns.rcode

from tests.support.dns_gate import TYPES, DnsGate, opt, query, wire_name
from tests.support.house import House, Shell

POLICY = {"http": [{"id": "ok", "action": "allow", "hosts": ["*.allowed.example", "**.deep.allowed.example"]},
                   {"id": "local", "action": "allow", "hosts": ["db.corp.internal"]}],
          "dns": [{"id": "txt", "action": "allow", "names": ["txt.example"], "types": ["TXT"]},
                  {"id": "no-mx", "action": "deny", "names": ["*.allowed.example"], "types": ["MX"]}]}

LONG = ".".join(["x" * 63, "y" * 63, "z" * 63, "w" * 40]) + ".deep.allowed.example"  # 253 characters
BLOCKED, PROHIBITED, UNSUPPORTED = 15, 18, 21
ADDRESS, NO_DATA, DENIED = ("NOERROR", "A", False, None), ("NOERROR", None, True, None), ("NXDOMAIN", None, True, BLOCKED)
REFUSED, BAD_VERSION = ("REFUSED", None, False, PROHIBITED), ("BADVERS", None, False, UNSUPPORTED)

# What dig and kdig are asked (both: "+edns=0" unless something else is said), and what they must tell: the status, the type of
# the one answer, whether there is an SOA record, the extended error.
COMMANDS = [
    ("-q first.allowed.example -t A", ADDRESS),
    ("-q first.allowed.example -t A +tcp", ADDRESS),
    ("-q FiRsT.aLLoWed.eXample -t A", ADDRESS),
    ("-q FIRST.ALLOWED.EXAMPLE -t A +tcp", ADDRESS),
    ("-q _under.allowed.example -t A", ADDRESS),
    ("-q 1-2-3.allowed.example -t A", ADDRESS),
    (f"-q {'l' * 63}.allowed.example -t A", ADDRESS),
    (f"-q {LONG} -t A", ADDRESS),
    (f"-q {LONG} -t A +noedns", ADDRESS),
    (f"-q {LONG} -t AAAA +noedns", NO_DATA),
    (f"-q {LONG} -t A +bufsize=512", ADDRESS),
    ("-q db.corp.internal -t A", ADDRESS),
    ("-q first.allowed.example -t A +noedns", ADDRESS),
    ("-q first.allowed.example -t A +bufsize=512", ADDRESS),
    ("-q first.allowed.example -t A +bufsize=1232", ADDRESS),
    ("-q first.allowed.example -t A +bufsize=65535", ADDRESS),
    ("-q first.allowed.example -t A +dnssec", ADDRESS),
    ("-q first.allowed.example -t A +nsid", ADDRESS),
    ("-q first.allowed.example -t A +subnet=192.0.2.0/24", ADDRESS),
    ("-q first.allowed.example -t A +padding=128", ADDRESS),
    ("-q first.allowed.example -t A +ednsopt=65001:6869", ADDRESS),
    ("-q first.allowed.example -t A +cdflag", ADDRESS),
    ("-q first.allowed.example -t A +adflag", ADDRESS),
    ("-q first.allowed.example -t A +norecurse", ADDRESS),
    ("-q first.allowed.example -t ANY +notcp", ("NOERROR", "HINFO", False, None)),
    ("-q first.allowed.example -t ANY +tcp", ("NOERROR", "HINFO", False, None)),
    *((f"-q first.allowed.example -t {kind}", NO_DATA) for kind in
      ["AAAA", "NS", "CNAME", "SOA", "PTR", "TXT", "SRV", "HTTPS", "SVCB", "HINFO", "NAPTR", "DS", "DNSKEY", "CAA", "TLSA", "SSHFP",
       "TYPE10", "TYPE256", "LOC", "RP", "CERT", "DNAME", "SMIMEA", "OPENPGPKEY", "NSEC", "RRSIG", "TYPE65280"]),
    ("-q first.allowed.example -t MX", DENIED),
    ("-q txt.example -t TXT", NO_DATA),
    ("-q txt.example -t A", DENIED),
    *((f"-q evil.example -t {kind}", DENIED) for kind in
      ["A", "AAAA", "CNAME", "MX", "TXT", "SRV", "SOA", "NS", "HTTPS", "SVCB", "PTR", "TYPE10", "TYPE65280"]),
    ("-q evil.example -t ANY +notcp", DENIED),
    ("-q evil.example -t A +tcp", DENIED),
    ("-q eViL.eXaMpLe -t A", DENIED),
    ("-q evil.example -t A +noedns", ("NXDOMAIN", None, True, None)),
    ("-q evil.example -t A +dnssec", DENIED),
    ("-q allowed.example -t A", DENIED),
    ("-q two.labels.allowed.example -t A", DENIED),
    *((f"-q {name} -t A", DENIED) for name in
      ["localhost", "www.localhost", "printer.local", "x.internal", "other.corp.internal", "intranet", "router.lan", "x.home.arpa",
       "x.onion", "x.invalid", "127.0.0.1", "2130706433", "0x7f000001", "0177.1", "169.254.169.254", "*.allowed.example",
       r"a\032b.allowed.example", r"a\000b.allowed.example", r"a\046b.allowed.example", r"caf\233.allowed.example", "com", "."]),
    ("-x 198.18.0.1", ("NOERROR", "PTR", False, None)),
    ("-q 1.0.18.198.in-addr.arpa -t A", NO_DATA),
    ("-q 1.0.18.198.in-addr.arpa -t TXT", NO_DATA),
    *((f"-x {address}", DENIED) for address in
      ["198.18.100.2", "198.18.0.0", "198.19.255.255", "8.8.8.8", "127.0.0.1", "2001:db8::1", "::1"]),
    ("-q data.in-addr.arpa -t PTR", DENIED),
    ("-q 1.0.18.198.in-addr.arpa.evil.example -t PTR", DENIED),
    ("-q version.bind -t TXT -c CH", REFUSED),
    ("-q hostname.bind -t TXT -c CH", REFUSED),
    ("-q id.server -t TXT -c CH", REFUSED),
    ("-q first.allowed.example -t A -c CH", REFUSED),
    ("-q first.allowed.example -t A -c CLASS4", REFUSED),
    ("-q first.allowed.example -t A -c CLASS255", REFUSED),
    ("-q first.allowed.example -t A +edns=1", BAD_VERSION),
    ("-q evil.example -t A +edns=255", BAD_VERSION),
]

OK_NAME = wire_name("first.allowed.example")


def message(questions: int, body: bytes, flags: int = 0x100, answers: int = 0, additional: int = 0) -> bytes:
    return struct.pack(">6H", 0x4711, flags, questions, answers, 0, additional) + body


QUESTION = OK_NAME + b"\0\1\0\1"
# What no client can be made to send, and the rcode.
RAW = {
    "no question": (message(0, b""), "FORMERR"),
    "two questions": (message(2, QUESTION * 2), "FORMERR"),
    "more questions said than there are": (message(2, QUESTION), "FORMERR"),
    "a pointer to itself": (message(1, b"\xc0\x0c\0\1\0\1"), "FORMERR"),
    "a loop of two pointers": (message(1, b"\xc0\x0e\xc0\x0c\0\1\0\1"), "FORMERR"),
    "a label and a pointer back to it": (message(1, b"\1a\xc0\x0c\0\1\0\1"), "FORMERR"),
    "a pointer forwards": (message(1, b"\1a\xc0\x30\0\1\0\1" + QUESTION), "FORMERR"),
    "a pointer into the header": (message(1, b"\xc0\x00\0\1\0\1"), "FORMERR"),
    "a pointer past the end": (message(1, b"\xff\xff\0\1\0\1"), "FORMERR"),
    "a reserved label type": (message(1, b"\x80a\0\0\1\0\1"), "FORMERR"),
    "an extended label type": (message(1, b"\x41a\0\0\1\0\1"), "FORMERR"),
    "a name cut short": (message(1, b"\5ab"), "FORMERR"),
    "a name without its end": (message(1, b"\2ab"), "FORMERR"),
    "a question without a class": (message(1, OK_NAME + b"\0\1"), "FORMERR"),
    "a name of 256 bytes": (message(1, (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"), "FORMERR"),
    "127 labels and one more": (message(1, b"\1a" * 128 + b"\0\0\1\0\1"), "FORMERR"),
    "trailing bytes": (message(1, QUESTION + b"tail"), "FORMERR"),
    "an answer in a query": (message(1, QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4", answers=1), "FORMERR"),
    "two OPT records": (message(1, QUESTION + opt() * 2, additional=2), "FORMERR"),
    "an OPT record with a name": (message(1, QUESTION + b"\1a" + opt(), additional=1), "FORMERR"),
    "an OPT record cut short": (message(1, QUESTION + opt()[:-1], additional=1), "FORMERR"),
    "an EDNS option longer than its record": (message(1, QUESTION + opt(options=b"\0\3\0\xff"), additional=1), "FORMERR"),
    "half a header": (b"\x47\x11\1\0\0\1", None),
    "nothing": (b"", None),
    "a response": (message(1, QUESTION, flags=0x8180), None),
    "opcode IQUERY": (message(1, QUESTION, flags=1 << 11), "NOTIMP"),
    "opcode STATUS": (message(0, b"", flags=2 << 11), "NOTIMP"),
    "opcode NOTIFY": (message(1, QUESTION, flags=4 << 11), "NOTIMP"),
    "opcode UPDATE": (message(1, QUESTION, flags=5 << 11), "NOTIMP"),
    "a zone transfer": (query("first.allowed.example", 252, 0x4711), "REFUSED"),
    "an incremental transfer": (query("first.allowed.example", 251, 0x4711), "REFUSED"),
    "OPT as a type": (query("first.allowed.example", 41, 0x4711), "REFUSED"),
    "TKEY": (query("first.allowed.example", 249, 0x4711), "REFUSED"),
    "type 0": (query("first.allowed.example", 0, 0x4711), "REFUSED"),
    "a UDP size below 512": (query("first.allowed.example", 1, 0x4711, additional=opt(12)), "NOERROR"),
    "reserved flag bits": (query("first.allowed.example", 1, 0x4711, flags=0x0140), "NOERROR"),
    "AA, TC and RA in a query": (query("first.allowed.example", 1, 0x4711, flags=0x0780), "NOERROR"),
}


class Cares:
    """c-ares, which must make sense of every reply."""

    SUCCESS, NO_DATA, BAD_RESPONSE = 0, 1, 10

    def __init__(self):
        self.library = ctypes.CDLL("libcares.so.2")
        self.addresses = (ctypes.c_char * 8 * 8)()

    def a_record(self, reply: bytes) -> tuple[int, bytes]:
        count = ctypes.c_int(8)
        status = self.library.ares_parse_a_reply(reply, len(reply), None, self.addresses, ctypes.byref(count))
        return status, bytes(self.addresses[0])[:4] if status == 0 and count.value else b""

    def soa(self, reply: bytes) -> int:
        into = ctypes.c_void_p()
        status = self.library.ares_parse_soa_reply(reply, len(reply), ctypes.byref(into))
        if into:
            self.library.ares_free_data(into)
        return status


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-dns-"))
        cls.addClassCleanup(shutil.rmtree, directory)
        cls.gate = DnsGate(directory, POLICY)
        cls.addClassCleanup(cls.gate.close)
        cls.gate.start()
        assert cls.gate.ask("first.allowed.example").endswith(b"\xc6\x12\0\1")
        cls.cares = Cares()

    @staticmethod
    def with_edns(command: str) -> list[str]:
        said = "+noedns" in command or "+edns=" in command
        return command.split() + ([] if said else ["+edns=0"])

    def check_told(self, output: str, command: str, wanted: tuple, keeps_case: bool = True) -> None:
        status, answer, soa, extended = wanted
        self.assertIn(f"status: {status}", output)
        self.assertIn(f"ANSWER: {1 if answer else 0}", output)
        self.assertIn(f"AUTHORITY: {1 if soa else 0}", output)
        flags = re.search(r"(?i)flags: ([a-z ]*);", output)[1].split()
        self.assertEqual("aa" in flags, bool(answer or soa))
        self.assertNotIn("tc", flags)
        self.assertEqual("rd" in flags, "+norecurse" not in command)
        self.assertEqual("cd" in flags, "+cdflag" in command)
        found = re.search(r"EDE: (\d+)", output)
        self.assertEqual(int(found[1]) if found else None, extended)
        if answer:
            name = command.split()[1]
            owner = "1.0.18.198.in-addr.arpa" if name == "198.18.0.1" else name
            self.assertRegex(output, rf"{'' if keeps_case else '(?i)'}\n{re.escape(owner)}\.\s+60\s+IN\s+{answer}\s")
        if soa:
            self.assertRegex(output, r"\n\.\s+5\s+IN\s+SOA\s+gatehouse\.invalid\. hostmaster\.gatehouse\.invalid\. 1 3600 600 86400 5")
        output = output.replace(";; WARNING: .local is reserved for Multicast DNS", "")
        self.assertNotRegex(output, r"(?i)malformed|warning|mismatch|extra bytes|\bech\b")

    def test_dig_and_kdig_understand_every_answer(self):
        self.assertGreater(len(COMMANDS), 100)
        for command, wanted in COMMANDS:
            words = self.with_edns(command)
            with self.subTest(command, by="dig"):
                self.check_told(self.gate.dig("+nocookie", "+noednsnegotiation", *words), command, wanted)
            with self.subTest(command, by="kdig"):
                self.check_told(self.gate.kdig(*words), command, wanted, keeps_case=False)  # it asks in lower case

    def check_reply(self, asked: bytes, reply: bytes, whole: bool) -> dns.message.Message:
        """What holds for every reply; `whole`: of a well-formed question. Gives it as dnspython reads it."""
        read = dns.message.from_wire(reply)
        self.assertEqual(reply[:2], asked[:2])
        self.assertTrue(read.flags & dns.flags.QR)
        self.assertEqual(read.opcode(), asked[2] >> 3 & 15)
        echoed = dns.flags.RD | dns.flags.CD
        self.assertEqual(read.flags & echoed, struct.unpack(">H", asked[2:4])[0] & echoed)
        if whole:
            self.assertEqual(struct.unpack(">H", reply[4:6])[0], 1)
            question = asked[12:asked.index(b"\0", 12) + 5] if b"\0" in asked[12:] else asked[12:]
            self.assertEqual(reply[12:12 + len(question)], question, "the question, byte for byte")
            status, address = self.cares.a_record(reply)
            answers = [rdata for rrset in read.answer for rdata in rrset if rrset.rdtype == 1]
            self.assertEqual(status, Cares.SUCCESS if answers else Cares.NO_DATA)
            self.assertEqual(address, b"".join(bytes(map(int, rdata.address.split("."))) for rdata in answers))
            self.assertNotEqual(self.cares.soa(reply), Cares.SUCCESS, "the SOA record is in the authority section")
        return read

    def test_what_no_client_sends_gets_its_rcode_or_silence(self):
        for what, (asked, rcode) in RAW.items():
            with self.subTest(what):
                replies = self.gate.send(asked)
                if rcode is None:
                    self.assertEqual(replies, [])
                    continue
                (reply,) = replies
                read = self.check_reply(asked, reply, rcode not in ("FORMERR", "NOTIMP"))
                self.assertEqual(dns.rcode.to_text(read.rcode()), rcode)
                if rcode != "NOERROR":
                    self.assertEqual((read.answer, read.authority), ([], []))
                self.assertEqual(self.gate.send_datagram(asked)[2:12], reply[2:12])
        self.assertTrue(self.gate.rows("seq", "rule_id = 'dns.malformed'"))

    def test_every_answer_to_any_question_is_one_to_it(self):
        chance = random.Random(1035)
        names = ["first.allowed.example", "evil.example", "localhost", "1.0.18.198.in-addr.arpa", "9.9.18.198.in-addr.arpa",
                 r"\000\046\255.allowed.example", LONG, ".", "txt.example", "version.bind"]

        def any_name() -> str:
            if chance.random() < 0.5:
                return "".join(chance.choice((str.upper, str.lower))(c) for c in chance.choice(names))
            labels = ["".join(rf"\{chance.randrange(1, 256):03d}" for _ in range(chance.randrange(1, 20)))
                      for _ in range(chance.randrange(1, 8))]
            return ".".join(labels + ([chance.choice(["allowed.example", "ALLOWED.example"])] if chance.random() < 0.3 else []))

        asked = {}
        for number in range(4000):
            edns = b"" if chance.random() < 0.4 else opt(
                chance.choice([0, 512, 600, 1232, 4096, 65535]), chance.choice([0] * 9 + [1]), chance.random() < 0.2,
                chance.choice([b"", b"\0\x0a\0\x08cookie!!", b"\xfd\xe9\0\2hi"]))
            kind = chance.choice(list(TYPES.values()) + [41, 64, 252, chance.randrange(65536)])
            asked[number] = query(any_name(), kind, number, chance.choice([0, 0x100, 0x110, 0x120]),
                                  chance.choice([1] * 9 + [3, 254, 255, chance.randrange(65536)]), edns)
        heard = {}
        for start in range(0, len(asked), 200):
            for reply in self.gate.send(*(asked[number] for number in range(start, min(start + 200, len(asked))))):
                heard[struct.unpack(">H", reply[:2])[0]] = reply
        self.assertEqual(heard.keys(), asked.keys())
        rcodes = set()
        for number, reply in heard.items():
            with self.subTest(asked[number].hex()):
                rcodes.add(dns.rcode.to_text(self.check_reply(asked[number], reply, True).rcode()))
                self.assertLessEqual(len(reply), 1232)
        self.assertEqual(rcodes, {"NOERROR", "NXDOMAIN", "REFUSED", "BADVERS"})

    def test_dig_understands_every_answer_inside_a_guest(self):
        house = House()
        self.addCleanup(house.close)
        shell = Shell(house, "--policy", house.policy(POLICY), "--name", "conformance")
        self.addCleanup(shell.close)
        shell.run("dig first.allowed.example A")
        for command, wanted in COMMANDS:
            with self.subTest(command):
                words = self.with_edns(command)
                _, output = shell.run("dig +tries=1 +time=10 +nocookie +noednsnegotiation " + shlex.join(words))
                self.check_told(output, command, wanted)


if __name__ == "__main__":
    unittest.main()
