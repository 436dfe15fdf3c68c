"""`vmadm start`, `stop`, `reboot`, `kill` and `sysrq`: what runs and what does not (smartos-vmadm.md 1)."""

from collections.abc import Sequence

from reconciler.emulation.guests import lifecycle, nics
from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.events import record
from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.guests.finding import guest_named, uuid_argument
from reconciler.emulation.guests.rows import Guest, save
from reconciler.emulation.guests.stored import full_object
from reconciler.emulation.session import Session

_MEDIA = ("order=", "cdrom=", "disk=", "once=")


def start(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm start UUID [order=… cdrom=PATH,MODEL disk=PATH,MODEL]`."""
    uuid, rest = uuid_argument(arguments, "start")
    try:
        guest = guest_named(session, uuid)
        if any(not word.startswith(_MEDIA) for word in rest):
            raise Failed(f"Invalid start argument: {rest[0]}")
        if rest and not BRANDS[guest.stored["brand"]].hvm:
            raise Failed("Start arguments are only supported for KVM and bhyve VMs.")
        if guest.state == lifecycle.RUNNING:
            session.complain(f"VM {uuid} is already 'running'")
            return 0
        if guest.state != lifecycle.STOPPED:
            raise Failed(f'Cannot start vm from state "{guest.state}", must be "stopped".')
        for nic in guest.stored["nics"]:
            nics.require_tag(session.state, nic["nic_tag"])
        before = full_object(session.state, guest)
        try:
            session.begin_part()
            _set_autoboot(session, guest, wanted=True)
            session.begin_part()
            lifecycle.boot(session, guest)
        finally:
            record(session, before, full_object(session.state, guest))
    except Failed as failed:
        raise Failed(f"Unable to start VM {uuid}: {failed}") from failed
    session.complain(f"Successfully started VM {uuid}")
    return 0


def _set_autoboot(session: Session, guest: Guest, *, wanted: bool) -> None:
    guest.stored["autoboot"] = wanted
    save(session.state, guest)


def stop(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm stop UUID [-F] [-t SECONDS]`."""
    uuid, rest = uuid_argument(arguments, "stop")
    force, timeout = _stop_options(rest)
    guest = guest_named(session, uuid)
    if timeout and not (BRANDS[guest.stored["brand"]].hvm or guest.stored.get("docker")):
        raise Failed("Timeout option is only supported for bhyve, KVM and docker containers.")
    ends = guest.state == lifecycle.RUNNING or (force and guest.zone_state == lifecycle.RUNNING)
    if not ends:
        session.complain(f"VM {uuid} is already not 'running' (currently: {guest.state})")
        return 0
    before = full_object(session.state, guest)
    try:
        session.begin_part()
        _set_autoboot(session, guest, wanted=False)
        if BRANDS[guest.stored["brand"]].hvm and not force:
            guest.status["state"] = lifecycle.STOPPING
            save(session.state, guest)
        session.begin_part()
        lifecycle.halt(session, guest)
    finally:
        record(session, before, full_object(session.state, guest))
    session.complain(f"Successfully completed stop for VM {uuid}")
    return 0


def _stop_options(rest: Sequence[str]) -> tuple[bool, bool]:
    words = list(rest)
    force = timeout = False
    while words:
        word = words.pop(0)
        if word in {"-F", "--force"}:
            force = True
        elif word in {"-t", "--timeout"} and words and words[0].isdigit():
            words.pop(0)
            timeout = True
        else:
            raise Misused(f"Invalid option: {word}")
    return force, timeout


def reboot(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm reboot UUID [-F]`."""
    uuid, rest = uuid_argument(arguments, "reboot")
    if any(word not in {"-F", "--force"} for word in rest):
        raise Misused(f"Invalid option: {rest[0]}")
    guest = guest_named(session, uuid)
    if guest.state != lifecycle.RUNNING and not (guest.stored.get("docker") and guest.state == lifecycle.STOPPED):
        raise Failed(f'Cannot reboot vm from state "{guest.state}", must be "running".')
    before = full_object(session.state, guest)
    try:
        session.begin_part()
        lifecycle.halt(session, guest)
        session.begin_part()
        lifecycle.boot(session, guest)
    finally:
        record(session, before, full_object(session.state, guest))
    session.complain(f"Successfully completed reboot for VM {uuid}")
    return 0


def kill(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm kill [-s SIGNAL] UUID`: the signal reaches init, which the emulated one minds as little as most real ones."""
    rest = list(arguments)
    signal = "SIGKILL"
    if rest[:1] in (["-s"], ["--signal"]) and len(rest) > 1:
        signal = rest[1]
        del rest[:2]
    uuid, left = uuid_argument(rest, "kill")
    if left:
        raise Misused(f"Invalid option: {left[0]}")
    guest = guest_named(session, uuid)
    if guest.state != lifecycle.RUNNING:
        raise Failed(f"VM {uuid} is not running (currently: {guest.state})")
    session.complain(f'Sent signal "{signal}" to init process for VM {uuid}')
    return 0


def sysrq(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm sysrq UUID nmi|screenshot`."""
    uuid, rest = uuid_argument(arguments, "sysrq")
    if rest not in (["nmi"], ["screenshot"]):
        raise Misused("sysrq needs a request: nmi or screenshot")
    guest = guest_named(session, uuid)
    brand = BRANDS[guest.stored["brand"]]
    if not brand.hvm:
        raise Failed("sysrq is only supported for KVM and bhyve VMs.")
    if rest == ["screenshot"] and brand.name == "bhyve":
        raise Failed("sysrq screenshot is not supported for bhyve VMs.")
    if guest.state != lifecycle.RUNNING:
        raise Failed(f'Cannot send sysrq to vm from state "{guest.state}", must be "running".')
    session.complain(f"Sent {'NMI' if rest == ['nmi'] else 'screenshot'} to VM {uuid}")
    return 0
