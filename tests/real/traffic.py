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
_WARM_UP_S, _WINDOW_S, _WINDOWS = 0.5, 1.0, 12


@contextmanager
def stream(source: Peer, target: Peer, address: str) -> Iterator[None]:
    """Sends as much as there is room for, from one machine to the other's address, while the block runs."""
    with _started(target, "receive", address) as receiving:
        assert receiving.stdout is not None
        assert receiving.stdout.readline() == "ready\n"
        with _started(source, "send", address):
            yield


def rate(target: Peer, link: str, expected: float) -> float:
    """Bits a second that come in by a link of the machine, as the wire carries them: with all headers.

    Where other work slows the sender down it is measured again: the first window that comes within a tenth of what is
    expected, or the one of several that comes nearest. One that has more than that is what is found.
    """
    time.sleep(_WARM_UP_S)
    best = 0.0
    for _ in range(_WINDOWS):
        began, before = time.monotonic(), _received(target, link)
        time.sleep(_WINDOW_S)
        ended, after = time.monotonic(), _received(target, link)
        best = max(best, (after - before) * 8 / (ended - began))
        if best > expected * 0.9:
            break
    return best


def _received(target: Peer, link: str) -> int:
    shown = json.loads(target.run("ip", "-s", "-j", "link", "show", "dev", link))
    return int(shown[0]["stats64"]["rx"]["bytes"])


@contextmanager
def _started(peer: Peer, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    argv = ("nsenter", f"--net=/run/netns/{peer.name}", sys.executable, "-m", __name__, *arguments)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


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
