"""`zfs set` and `zfs inherit`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets, setting, values
from reconciler.emulation.zfs.checking import Rejected, Setting, checked
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.options import assignment, options
from reconciler.emulation.zfs.properties import FILESYSTEM, Edit, Native, is_user_property, native_named
from reconciler.emulation.zfs.reading import KINDS
from reconciler.emulation.zfs.selecting import Reach, reach_option, selected


def set_properties(session: Session, arguments: Sequence[str]) -> int:
    """`zfs set p=v… NAME…`; one property only where the dialect has it so."""
    dialect = DIALECTS[session.system.zfs_dialect]
    wanted, names = (_many if dialect.set_many_properties else _one)(arguments)
    chosen, failed = selected(session, names, kinds=KINDS, named_kinds=KINDS, reach=Reach(), paths=False)
    for dataset in chosen:
        try:
            _set_all(session, dataset, wanted)
        except Refused as refused:
            session.complain("\n".join(refused.lines))
            failed = True
    return int(failed)


def _one(arguments: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    if arguments and arguments[0].startswith("-"):
        raise Misused(f"invalid option '{arguments[0][1:2]}'")
    if not arguments:
        raise Misused("missing property=value argument")
    if len(arguments) < 2:
        raise Misused("missing dataset name")
    name, sign, value = arguments[0].partition("=")
    if not sign or not value:
        raise Misused("missing value in property=value argument")
    if not name:
        raise Misused("missing property in property=value argument")
    return {name: value}, arguments[1:]


def _many(arguments: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    if arguments and arguments[0].startswith("-"):
        raise Misused(f"invalid option '{arguments[0][1:2]}'")
    pairs = [assignment(text) for text in arguments]
    first_name = next((place for place, pair in enumerate(pairs) if pair is None), len(arguments))
    if not arguments or first_name == 0:
        raise Misused("missing property=value argument(s)")
    if first_name == len(arguments):
        raise Misused("missing dataset name(s)")
    if any(pair is not None for pair in pairs[first_name:]):
        raise Misused("invalid argument order")
    wanted: dict[str, str] = {}
    for pair in pairs[:first_name]:
        assert pair is not None
        if pair[0] in wanted:
            raise Refused(f"property '{pair[0]}' specified multiple times")
        wanted[pair[0]] = pair[1]
    return wanted, arguments[first_name:]


def _set_all(session: Session, dataset: Dataset, wanted: dict[str, str]) -> None:
    """Checks all values before it gives the first; one that does not fit then does not keep the others back."""
    dialect = DIALECTS[session.system.zfs_dialect]
    refusal = f"cannot set property for '{dataset.name}': "
    target = setting.target_of(session, dataset)
    complaints: list[str] = []
    try:
        settings = [checked(dialect, target, name, text) for name, text in wanted.items()]
    except Rejected as rejected:
        raise Refused(refusal + str(rejected)) from rejected
    for one in settings:
        session.begin_part()
        complaints += _given(session, dataset, one, refusal)
    if complaints:
        raise Refused(*complaints)


def _given(session: Session, dataset: Dataset, one: Setting, refusal: str) -> Sequence[str]:
    try:
        setting.apply(session, datasets.dataset_with_id(session.state, dataset.id), one)
    except Rejected as rejected:
        return (refusal + str(rejected),)
    except Refused as refused:
        return refused.lines
    return ()


def inherit(session: Session, arguments: Sequence[str]) -> int:
    """`zfs inherit [-rS] p NAME…`."""
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "rS", anywhere=dialect.options_anywhere)
    if not given.operands:
        raise Misused("missing property argument")
    if len(given.operands) == 1:
        raise Misused("missing dataset argument")
    name, *targets = given.operands
    native = native_named(dialect, name)
    to_received = given.has("S")
    _check_inheritable(name, native, to_received=to_received)
    recursive = given.has("r")
    chosen, failed = selected(session, targets, kinds=KINDS, named_kinds=KINDS, reach=reach_option(given), paths=False)
    for dataset in chosen:
        try:
            if native is None or dataset.kind in native.kinds:
                _inherit_one(session, dataset, native.name if native else name, name, to_received=to_received)
            elif not recursive:
                reason = "property doesn't apply to datasets of this type"
                raise Refused(f"cannot inherit {name} for '{dataset.name}': {reason}")
        except Refused as refused:
            session.complain("\n".join(refused.lines))
            failed = True
    return int(failed)


def _check_inheritable(name: str, native: Native | None, *, to_received: bool) -> None:
    if native is None:
        if not is_user_property(name):
            raise Misused(f"invalid property '{name}'")
        return
    if native.edit is not Edit.ALWAYS:
        raise Refused(f"{name} property is read-only")
    if to_received and native.name in {"volsize", "version"}:
        raise Refused(f"'{name}' property cannot be reverted to a received value")
    if native.inherits or to_received:
        return
    lines = [f"'{name}' property cannot be inherited"]
    if native.name in {"quota", "reservation", "refquota", "refreservation"}:
        lines.append(f"use 'zfs set {native.name}=none' to clear")
    raise Refused(*lines)


def _inherit_one(session: Session, dataset: Dataset, name: str, called: str, *, to_received: bool) -> None:
    refusal = f"cannot inherit {called} for '{dataset.name}': "
    if name == "mlslabel":
        raise Refused(refusal + "permission denied")
    session.begin_part()
    current = datasets.dataset_with_id(session.state, dataset.id)
    if current.kind == FILESYSTEM and name in setting.MOUNT_PROPERTIES:
        try:
            moved = setting.Remounting.begin(session, current, name, None)
        except Rejected as rejected:
            raise Refused(refusal + str(rejected)) from rejected
        values.clear_local(session.state, current, name, to_received=to_received)
        moved.finish(session)
        return
    before = values.own_size(session.state, current, name) if name in {"reservation", "refreservation"} else 0
    values.clear_local(session.state, current, name, to_received=to_received)
    setting.settle_value(session.state, current, name, before)
