"""`imgadm sources`: which sources are asked."""

from collections.abc import Sequence

from reconciler.emulation.dashdash import table
from reconciler.emulation.images.asking import together
from reconciler.emulation.images.errors import ImgadmError, usage
from reconciler.emulation.images.importing import is_url
from reconciler.emulation.images.printing import print_json
from reconciler.emulation.images.sites import Source, ping, sources
from reconciler.emulation.session import Session

OPTIONS = table(["-j --json", "-f --force", "-v --verbose", "-c --check", "-k --insecure"], ["-a", "-d", "-t --type"])
_KINDS = frozenset({"imgapi", "dsapi", "docker"})


def configure(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm sources [-j] [-c] [-a URL [-t TYPE] [-f]] [-d URL]`."""
    given = OPTIONS.read(arguments)
    if given.operands:
        raise usage(f"unexpected number of args: {' '.join(given.operands)}")
    if "a" in given.values:
        _add(session, given.last("a") or "", given.last("type") or "imgapi", unseen="force" in given.flags)
    elif "d" in given.values:
        _delete(session, given.last("d") or "")
    elif "check" in given.flags:
        _check(session)
    elif "json" in given.flags:
        print_json(session, [{"type": one.kind, "url": one.url, "insecure": False} for one in sources(session.state)])
    else:
        for one in sources(session.state):
            session.line(f"{one.url} ({one.kind})" if "verbose" in given.flags else one.url)
    return 0


def _add(session: Session, url: str, kind: str, *, unseen: bool) -> None:
    address = url.rstrip("/")
    if kind not in _KINDS:
        raise usage(f'invalid source type: "{kind}"')
    if not is_url(address):
        raise usage(f'invalid source URL: "{url}"')
    source = Source(address, kind)
    if source in sources(session.state):
        session.line(f'Already have "{kind}" image source "{address}", no change')
        return
    if not unseen:
        ping(session.state, source)
    session.state.write("INSERT INTO image_source (url, kind) VALUES (?, ?)", address, kind)
    session.line(f'Added "{kind}" image source "{address}"')


def _delete(session: Session, url: str) -> None:
    address = url.rstrip("/")
    found = [one for one in sources(session.state) if one.url == address]
    if not found:
        session.line(f'Do not have image source "{address}", no change')
        return
    session.state.write("DELETE FROM image_source WHERE url = ?", address)
    session.line(f'Deleted "{found[0].kind}" image source "{address}"')


def _check(session: Session) -> None:
    troubles = []
    for one in sources(session.state):
        try:
            ping(session.state, one)
        except ImgadmError as trouble:
            troubles.append(trouble)
            continue
        session.line(f'Source "{one.url}" ({one.kind}) is ok')
    if troubles:
        raise together(troubles)
