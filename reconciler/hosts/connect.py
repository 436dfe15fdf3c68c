"""The transport that a Host manifest asks for."""

from pathlib import Path

from reconciler.hosts.head_start import HeadStart
from reconciler.hosts.local import NO_HEAD_START, LocalTransport
from reconciler.hosts.transport import Transport
from reconciler.model.errors import ReconcilerError
from reconciler.model.host import Elevation, HostManifest, TransportType


def connect(manifest: HostManifest, state: Path, head_start: HeadStart = NO_HEAD_START) -> Transport:
    """A transport for the host; emulated hosts keep their state below the state directory.

    A host whose manifest states an identity has no use for a head start: nothing may run there before that is checked.
    """
    connection = manifest.connection
    match connection.type:
        case TransportType.LOCAL:
            begun = NO_HEAD_START if manifest.identity else head_start
            return LocalTransport(path=connection.path, elevate=manifest.elevate, head_start=begun, state=state)
        case TransportType.EMULATED:
            # Imported here: a real host must not pay for the emulator.
            from reconciler.hosts.emulated import EmulatedTransport

            return EmulatedTransport.open(
                emulated_state(state, manifest.name),
                system=connection.system,
                hostname=manifest.name,
                pools=connection.pools,
                links=connection.links,
            )
        case TransportType.SSH:
            raise ReconcilerError(f"host {manifest.name}: transport ssh is not available yet", remedy="use local or emulated")


def emulated_state(state: Path, host: str) -> Path:
    """Where an emulated host keeps itself."""
    return state / "hosts" / f"{host}.sqlite"


def probes_worth_a_head_start(manifest: HostManifest, transport: Transport) -> list[tuple[str, ...]]:
    """The looks at this machine that the next run over the same source may begin early."""
    if not isinstance(transport, LocalTransport) or manifest.identity or manifest.connection.path:
        return []
    return list(dict.fromkeys(transport.probes)) if manifest.elevate is Elevation.NONE else []
