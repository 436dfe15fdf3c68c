"""Keys of LXC that have no field of ours, as a closed table.

A manifest states them under `native.lxc` by what follows `lxc.` in them: `native: {lxc: {init.cmd: /sbin/init}}`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from types import MappingProxyType

from providers.tools.lxc_config import Config
from reconciler.model.errors import InvalidValue
from reconciler.model.value import Scalar, Value
from reconciler.provider.field import Acts, Entries, FieldRule, Null

PREFIX = "native.lxc."
_KEY = "lxc."
_SIGNAL = re.compile(r"SIG[A-Z0-9+-]+|[0-9]{1,2}")


class Form(Enum):
    """What a key holds."""

    TEXT = "text"
    NUMBER = "a whole number"
    SWITCH = "true or false"
    SIGNAL = "a signal, such as SIGPWR"
    LIST = "a list of texts, each a line of its own"
    WORDS = "a list of words"


@dataclass(frozen=True, slots=True)
class NativeKey:
    """One key of LXC: what it holds, and when a change acts."""

    name: str
    form: Form
    summary: str
    acts: Acts = Acts.STAGED

    def canonical(self, value: Scalar) -> Value:
        """A stated value in canonical form; InvalidValue for what the key can't hold."""
        match self.form:
            case Form.NUMBER if isinstance(value, int) and not isinstance(value, bool):
                return value
            case Form.SWITCH if isinstance(value, bool):
                return value
            case Form.SIGNAL if _SIGNAL.fullmatch(str(value)):
                return str(value)
            case Form.TEXT if isinstance(value, str) and _is_line(value):
                return value
            case Form.LIST | Form.WORDS if isinstance(value, str) and _is_line(value):
                return tuple(sorted(part.strip() for part in value.split(",")))
            case _:
                raise InvalidValue(f"lxc.{self.name} holds {self.form.value}, not {value!r}", remedy=f"write {self.form.value}")

    def told(self, value: Value) -> tuple[str, ...]:
        """The values of the key's lines; none where it is to have none."""
        if isinstance(value, tuple):
            return tuple(map(str, value))
        return () if value is None else (str(int(value)) if isinstance(value, bool) else str(value),)

    def read(self, config: Config) -> Value:
        """The value in a config, in canonical form; None for none. What nobody may state is told as it stands there."""
        values = config.all(f"{_KEY}{self.name}")
        if self.form is Form.WORDS:
            values = tuple(word for value in values for word in value.split())
        if not values:
            return None
        if self.form in (Form.LIST, Form.WORDS):
            return tuple(sorted(values))
        if self.form is Form.NUMBER and values[-1].isdigit():
            return int(values[-1])
        return values[-1] == "1" if self.form is Form.SWITCH and values[-1] in ("0", "1") else values[-1]


def _is_line(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip()


_TABLE = (
    NativeKey("init.cmd", Form.TEXT, "the program that it starts by, with its arguments; /sbin/init where nothing is said"),
    NativeKey("init.cwd", Form.TEXT, "the directory in which that starts"),
    NativeKey("init.uid", Form.NUMBER, "the user that it runs as"),
    NativeKey("init.gid", Form.NUMBER, "the group that it runs as"),
    NativeKey("environment", Form.LIST, "its environment: NAME=value"),
    NativeKey("cap.drop", Form.WORDS, "capabilities that it lacks, beside those that all containers lack"),
    NativeKey("cap.keep", Form.WORDS, "the only capabilities that it keeps"),
    NativeKey("apparmor.profile", Form.TEXT, "generated, unconfined, or a profile of the host"),
    NativeKey("seccomp.profile", Form.TEXT, "the file of the host that says which system calls it may make"),
    NativeKey("no_new_privs", Form.SWITCH, "whether its programs can gain no privileges"),
    NativeKey("signal.halt", Form.SIGNAL, "what tells it to end; SIGPWR where nothing is said"),
    NativeKey("signal.reboot", Form.SIGNAL, "what tells it to boot again"),
    NativeKey("signal.stop", Form.SIGNAL, "what ends it when it does not end by itself"),
    NativeKey("tty.max", Form.NUMBER, "how many terminals it has"),
    NativeKey("pty.max", Form.NUMBER, "how many pseudo terminals it has"),
    NativeKey("mount.auto", Form.WORDS, "kernel file systems that are mounted in it: proc:mixed sys:ro"),
    NativeKey("start.delay", Form.NUMBER, "seconds that the host waits after its start, when it boots", Acts.LIVE),
    NativeKey("start.order", Form.NUMBER, "its place in that order, higher ones first", Acts.LIVE),
    NativeKey("log.level", Form.TEXT, "how much its log says: ERROR WARN NOTICE INFO DEBUG TRACE"),
)

NATIVE: Mapping[str, NativeKey] = MappingProxyType({known.name: known for known in _TABLE})
"""Every key that may stand under `native.lxc`, by name."""

_OURS = {
    "uts.name": "hostname",
    "rootfs.path": "zonePath",
    "start.auto": "autoboot",
    "mount.entry": "mounts",
    "mount.fstab": "mounts",
    "net": "nics",
    "cgroup": "memory, swap, cpuCap, cpuShares and maxTasks",
    "cgroup2": "memory, swap, cpuCap, cpuShares and maxTasks",
}


def _key(name: str) -> NativeKey:
    if (known := NATIVE.get(name)) is not None:
        return known
    ours = _OURS.get(name) or _OURS.get(name.partition(".")[0])
    if ours is not None:
        raise InvalidValue(f"lxc.{name} has a field of its own", remedy=f"state {ours} instead")
    if name.startswith(_KEY):
        raise InvalidValue(f"{name} begins with {_KEY}", remedy=f"write {name.removeprefix(_KEY)}")
    near = get_close_matches(name, NATIVE, n=1)
    remedy = f"did you mean {near[0]}?" if near else "`reconciler providers Zone` lists those that have no field here"
    raise InvalidValue(f"native.lxc has no key {name!r}", remedy=remedy)


def _rule(name: str) -> FieldRule:
    known = _key(name)
    return FieldRule(null=Null.NONE, canonical=known.canonical, summary=known.summary, acts=known.acts)


ENTRIES = Entries(_rule, tuple(NATIVE))


def read(config: Config) -> Iterator[tuple[str, Value]]:
    """Every key of the table under its field's name; None where the config says nothing."""
    for name, known in NATIVE.items():
        yield f"{PREFIX}{name}", known.read(config)


def with_native(config: Config, field: str, value: Value) -> Config:
    """The config with that field of native.lxc at that value."""
    known = NATIVE[field.removeprefix(PREFIX)]
    return config.with_entries(f"{_KEY}{known.name}", known.told(value))
