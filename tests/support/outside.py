"""The world outside, as far as a host in a network namespace of its own can reach it: a TUN device that every route leads to,
whose other end is here, and a counter of every packet on every interface."""

import fcntl
import os
import socket
import struct
import subprocess
import threading

ETH_P_ALL = 3
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def in_namespace(*command: str, seconds: float = 600) -> subprocess.CompletedProcess:
    """Runs a command in a network namespace of its own, as root there."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    return subprocess.run(["unshare", "--net", *rights, *command], capture_output=True, text=True, timeout=seconds)


def checksum(header: bytes) -> int:
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Outside:
    """Answers every DNS query that gets out over IPv4 with NXDOMAIN, so that whoever asked need not wait."""

    def __init__(self):
        self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"outside", IFF_TUN | IFF_NO_PI))
        for command in ["link set lo up", "link set outside up", "addr add 192.0.2.1/24 dev outside",
                        "-6 addr add 2001:db8::1/64 dev outside nodad", "route add default dev outside",
                        "-6 route add default dev outside"]:
            subprocess.run(["ip", *command.split()], check=True)
        self._packets: list[tuple[str, bytes]] = []
        self._sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))  # all interfaces
        self._sniffer.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        for work in (self._count, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def _count(self) -> None:
        while True:
            packet, where = self._sniffer.recvfrom(65535)
            self._packets.append((where[0], packet))

    def _answer(self) -> None:
        while True:
            packet = os.read(self.tun, 65535)
            if packet[0] != 0x45 or packet[9] != socket.IPPROTO_UDP or packet[22:24] != struct.pack(">H", 53):
                continue
            query = packet[28:]
            answer = query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + query[12:query.index(b"\0", 12) + 5]
            udp = packet[22:24] + packet[20:22] + struct.pack(">2H", 8 + len(answer), 0) + answer
            header = b"\x45\0" + struct.pack(">H", 20 + len(udp)) + bytes(4) + b"\x40\x11\0\0" + packet[16:20] + packet[12:16]
            os.write(self.tun, header[:10] + struct.pack(">H", checksum(header)) + header[12:] + udp)

    def packets_with(self, word: str) -> list[tuple[str, bytes]]:
        """Packets, on whatever interface, that hold a word in any case."""
        return [(where, packet) for where, packet in list(self._packets) if word.lower().encode() in packet.lower()]

    def packets_out(self) -> list[bytes]:
        """What has left, but for what the kernel says of its own accord (IPv6 neighbours, multicast groups)."""
        return [packet for where, packet in list(self._packets)
                if where == "outside" and not (packet[0] >> 4 == 6 and packet[6] in (0, socket.IPPROTO_ICMPV6))]
