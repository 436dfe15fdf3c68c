"""A stream of bytes from one machine on the wire to another, and how many bits a second of it arrive."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.real.linux_host import Peer

_PORT = 5001
_CHUNK = bytes(65536)
_WARM_UP_S, _WINDOW_S = 0.7, 1.5


@contextmanager
def stream(source: Peer, target: Peer, address: str) -> Iterator[None]:
    """Sends as much as there is room for, from one machine to the other's address, while the block runs."""
    receiving = _start(target, "receive", address)
    try:
        assert receiving.stdout is not None
        assert receiving.stdout.readline() == "ready\n"
        sending = _start(source, "send", address)
        try:
            yield
        finally:
            sending.kill()
            sending.wait(10)
    finally:
        receiving.kill()
        receiving.wait(10)


def rate(target: Peer, link: str) -> float:
    """Bits a second that come in by a link of the machine now, as the wire carries them: with all headers."""
    time.sleep(_WARM_UP_S)
    began, before = time.monotonic(), _received(target, link)
    time.sleep(_WINDOW_S)
    ended, after = time.monotonic(), _received(target, link)
    return (after - before) * 8 / (ended - began)


def _received(target: Peer, link: str) -> int:
    shown = json.loads(target.run("ip", "-s", "-j", "link", "show", "dev", link))
    return int(shown[0]["stats64"]["rx"]["bytes"])


def _start(peer: Peer, *arguments: str) -> subprocess.Popen[str]:
    argv = ("nsenter", f"--net=/run/netns/{peer.name}", sys.executable, "-m", __name__, *arguments)
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _receive(address: str) -> None:
    with socket.create_server((address, _PORT)) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        taken, _ = server.accept()
        with taken:
            while taken.recv(len(_CHUNK)):
                pass


def _send(address: str) -> None:
    with socket.create_connection((address, _PORT), timeout=10) as sending, suppress(ConnectionError):
        while True:
            sending.sendall(_CHUNK)


if __name__ == "__main__":
    {"receive": _receive, "send": _send}[sys.argv[1]](*sys.argv[2:])
