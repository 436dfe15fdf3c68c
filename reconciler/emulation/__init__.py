"""Emulated hosts: command line tools of SmartOS, OmniOS and Linux with zfs-fuse over one state file per host.

Here belongs what a real host does, argument for argument and to the byte where that is known (docs/emulation.md says
where it is not). Nothing here may import or be imported by the providers: both read the same references, and tests let
the two readings meet as text. Only the standard library is used, so that an emulated tool starts as fast as a real one.
"""

from reconciler.emulation.answer import Answer, Call
from reconciler.emulation.errors import EmulationError
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.emulation.host import EmulatedHost

__all__ = ["Answer", "Call", "EmulatedHost", "EmulationError", "Fault", "FaultKind"]
