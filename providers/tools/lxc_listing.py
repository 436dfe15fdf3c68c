"""What `lxc.ZONES` prints of all containers of a host: strict about its shape, patient with what stands in configs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.tools.lxc_config import Config, read_config
from reconciler.model.errors import ReadError
from reconciler.provider.readers import one_of, whole_lines

STATES = frozenset({"STOPPED", "STARTING", "RUNNING", "STOPPING", "ABORTING", "FREEZING", "FROZEN", "THAWED"})
_HEAD = ["NAME", "STATE", "PID"]
_MONITOR = "[lxc monitor] "

DEAD, HANGS = "dead", "hangs"
"""What can ail the file system of a root: its daemon is gone for good, whether or not another one runs by now; it does not
answer."""

_OF_ROOTS = frozenset({DEAD, HANGS})


@dataclass(frozen=True, slots=True)
class Container:
    """One container as it was found. `state` is empty where LXC does not list it: it can't load its config, and `trouble`
    says why. `started` is the config that it was started with, as far as that was kept. `limits` are the files of the
    control group of one that runs; `root` is what ails the file system that its root lies in: DEAD, HANGS, or nothing."""

    name: str
    config: Config
    started: Config | None = None
    state: str = ""
    trouble: str = ""
    has_monitor: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)
    root: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """All containers by name; `payloads` are the control groups of containers that hold processes, by what follows
    `lxc.payload.` in their names."""

    path: str
    boot: str
    containers: Mapping[str, Container]
    payloads: frozenset[str] = frozenset()


def read_listing(text: str) -> Listing:
    """ReadError for any other shape."""
    single: dict[str, str] = {}
    states: dict[str, str] = {}
    pids: dict[str, str] = {}
    roots: dict[str, str] = {}
    said: list[str] = []
    monitors, payloads = set[str](), set[str]()
    files: dict[tuple[str, str], list[str]] = {}
    limits: dict[str, dict[str, str]] = {}
    for number, line in enumerate(whole_lines(text), start=1):
        what, _, rest = line.partition(" ")
        match what:
            case "path" | "boot":
                single[what] = rest
            case "state" if rest.split() == _HEAD:
                states.setdefault("", "")
            case "state" if "" not in states or len(rest.split()) != len(_HEAD):
                said.append(rest)
            case "state":
                name, state, pids[name] = rest.split()
                states[name] = one_of(state, STATES, number, f"the state of {name}")
            case "monitor" if rest.startswith(_MONITOR):
                monitors.add(rest.removeprefix(_MONITOR))
            case "payload":
                payloads.add(rest)
            case "root":
                pid, _, trouble = rest.partition(" ")
                roots[pid] = one_of(trouble, _OF_ROOTS, number, f"what ails the root of process {pid}")
            case "line":
                name, file, content = _in_file(rest, number)
                files.setdefault((name, file), []).append(content)
            case "limit":
                name, _, tail = rest.partition(" ")
                file, _, value = tail.partition(" ")
                limits.setdefault(name, {})[file] = value
            case _:
                raise ReadError(number, "one of path, boot, state, monitor, payload, root, line, limit", line)
    if set(single) != {"path", "boot"}:
        raise ReadError(1, "where containers live, and the id of the boot", text[:80])
    path = single["path"]
    found = {}
    for (name, file), lines in files.items():
        if file != "config":
            continue
        started = files.get((name, "started"))
        found[name] = Container(
            name,
            read_config(lines),
            read_config(started) if started is not None else None,
            states.get(name, ""),
            "" if name in states else _trouble(name, said),
            f"{path} {name}" in monitors,
            MappingProxyType(limits.get(name, {})),
            roots.get(pids.get(name, ""), ""),
        )
    return Listing(path, single["boot"], MappingProxyType(found), frozenset(payloads))


def _trouble(name: str, said: Iterable[str]) -> str:
    """What was said about a container that is not listed."""
    return "; ".join(one for one in said if name in one or "config" in one.lower())


def _in_file(text: str, number: int) -> tuple[str, str, str]:
    """A line of a container's file (`NAME/FILE:LINE`) in its parts."""
    name, slash, tail = text.partition("/")
    file, colon, content = tail.partition(":")
    if not (slash and colon):
        raise ReadError(number, "a line of a file", text)
    return name, file, content
