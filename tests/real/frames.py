"""Frames as a guest may forge them, and what of them arrives elsewhere on the wire."""

import re
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from tests.real.linux_host import Peer

_EVERYBODY = "ff:ff:ff:ff:ff:ff"
_IP4, _ARP, _IP6, _VLAN, _LOCAL_USE = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88B5
_UDP, _ICMP6 = 17, 58
_ROUTER_ADVERTISEMENT = 134
_NAME = b"<" + b" " * 24 + b">"
"""Where a frame's name goes: within what IP counts as its own, for a bridge cuts off what is behind."""


def ethernet(source: str, kind: int, payload: bytes) -> bytes:
    return _mac(_EVERYBODY) + _mac(source) + struct.pack("!H", kind) + payload


def udp4(mac: str, source: str, port: int = 1000) -> bytes:
    """A datagram to everybody."""
    datagram = _datagram(port, 68)
    addresses = IPv4Address(source).packed + IPv4Address("255.255.255.255").packed
    words = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(datagram), 0, 0, 64, _UDP)
    return ethernet(mac, _IP4, words + struct.pack("!H", _checksum(words + addresses)) + addresses + datagram)


def udp6(mac: str, source: str, port: int = 1000) -> bytes:
    return _ip6(mac, source, _UDP, _datagram(port, 546))


def router_advertisement(mac: str, source: str) -> bytes:
    return _ip6(mac, source, _ICMP6, struct.pack("!BBHIII", _ROUTER_ADVERTISEMENT, 0, 0, 0x40000708, 0, 0) + _NAME)


def arp(mac: str, told_mac: str, told_ip: str) -> bytes:
    """Somebody tells who has an address."""
    head = struct.pack("!HHBBH", 1, _IP4, 6, 4, 2)
    told = _mac(told_mac) + IPv4Address(told_ip).packed
    return ethernet(mac, _ARP, head + told + told + _NAME)


def other(mac: str) -> bytes:
    """A frame of a kind that is for experiments."""
    return ethernet(mac, _LOCAL_USE, _NAME)


def tagged(frame: bytes, vlan: int = 5) -> bytes:
    return frame[:12] + struct.pack("!HH", _VLAN, vlan) + frame[12:]


def _ip6(mac: str, source: str, kind: int, payload: bytes) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), kind, 255)
    return ethernet(mac, _IP6, head + IPv6Address(source).packed + IPv6Address("ff02::1").packed + payload)


def _datagram(source: int, target: int) -> bytes:
    return struct.pack("!HHHH", source, target, 8 + len(_NAME), 0) + _NAME


def _checksum(head: bytes) -> int:
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def arrived(sender: Peer, link: str, listener: Peer, frames: Mapping[str, bytes]) -> set[str]:
    """The names of those frames that come to the listener's eth0 when they are sent by that link; the last one must."""
    named = {name: frame.replace(_NAME, f"<{name}>".encode().ljust(len(_NAME))) for name, frame in frames.items()}
    last = list(named)[-1]
    with subprocess.Popen(_in(listener, "listen", "eth0", last), stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == "ready\n"
        subprocess.run(_in(sender, "send", link, *(frame.hex() for frame in named.values())), check=True, timeout=10)
        found, _ = listening.communicate(timeout=10)
    names = set(found.split())
    assert last in names, f"not even {last} arrived, only {names}"
    return names


def _in(peer: Peer, *arguments: str) -> tuple[str, ...]:
    return ("nsenter", f"--net=/run/netns/{peer.name}", sys.executable, "-m", __name__, *arguments)


def _send(link: str, *frames: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((link, 0))
        for frame in frames:
            wire.send(bytes.fromhex(frame))


def _listen(link: str, last: str) -> None:
    """Prints the names in frames, until the last one has come or 3 s are over."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
        wire.bind((link, 0))
        wire.settimeout(3)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        name = ""
        while name != last:
            try:
                found = re.search(rb"<([a-z0-9-]+)>", wire.recv(2048))
            except TimeoutError:
                return
            name = found[1].decode() if found else ""
            sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    {"send": _send, "listen": _listen}[sys.argv[1]](*sys.argv[2:])
