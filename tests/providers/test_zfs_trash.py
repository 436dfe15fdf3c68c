"""Into the trash and back on ZFS: the note, what is read, and the exact commands."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.tools.zfs_properties import Dialect
from providers.tools.zfs_trash import note, trashed_in
from providers.zfs.backend import DATASETS, SNAPSHOTS, ZfsBackend
from providers.zfs.capabilities import FACT_PROBES, Capabilities
from providers.zfs.steps import steps
from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Command, Completed, Ending, Step
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import REMOVAL, Mark, Observed, Removal
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashed, Trashing

GIB = 1 << 30
ILLUMOS = Capabilities(Dialect.ILLUMOS, frozenset(), frozenset({"tank"}), is_smartos=False)
ZFS_FUSE = replace(ILLUMOS, dialect=Dialect.ZFS_FUSE, pools=None)
AT = "20260102T030405.000Z"
PLACE = "tank/.reconciler-trash"
ENTRY = f"{PLACE}/{AT}-3"
CONTAINER = f"+ zfs create -p -o canmount=off -o mountpoint=none {PLACE}"
UNKNOWN = Trashed("", "", None)


# The note.

anything = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=80)
# Bytes that are no UTF-8 come out of a tool as lone surrogates of this range.
printed = st.one_of(anything, st.text(st.sampled_from("rw=@:,/ äß\u20ac\t\n\"\\'{}\udc80\udcff"), max_size=40))
saved = st.dictionaries(st.sampled_from(["canmount", "sharenfs", "sharesmb", "refreservation"]), st.none() | printed)
trashed = st.builds(Trashed, anything, anything, st.none() | st.integers(0, 1 << 62), st.booleans(), st.booleans(), saved)


@given(trashed)
@example(Trashed(AT, "0123", 60, True, True, {"sharenfs": 'rw=@10.0.0.0/8,root="a b"', "canmount": None}))
def test_a_note_says_again_what_was_written(written: Trashed) -> None:
    assert trashed_in(note(written)) == written


@given(trashed)
def test_a_note_is_one_line_of_plain_text(written: Trashed) -> None:
    text = note(written)

    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "junk",
        "{}",
        "[]",
        "null",
        '"at"',
        "[" * 100_000,
        '{"at":"x","group":"y"}',
        '{"at":"x","group":"y","ttl":"soon"}',
        '{"at":"x","group":"y","ttl":1e999}',
        '{"at":"x","group":"y","ttl":Infinity}',
        '{"at":"x","group":"y","ttl":NaN}',
        '{"at":"x","group":"y","ttl":' + "9" * 5000 + "}",
        '{"at":"x","group":"y","ttl":1,"saved":null}',
        '{"at":"x","group":"y","ttl":1,"saved":["canmount"]}',
        '{"at":"x","group":"y","ttl":1,"saved":{"sharenfs":"\\u0000"}}',
        '{"at":"x","group":"y","ttl":1,"saved":{"sharenfs":"\\ud800"}}',
        '{"at":"\\ud800","group":"y","ttl":1}',
    ],
)
def test_a_garbled_note_still_says_that_it_is_in_the_trash_for_ever(text: str) -> None:
    assert trashed_in(text) == UNKNOWN


@given(st.recursive(st.none() | st.booleans() | st.floats() | anything, lambda inner: st.dictionaries(anything, inner)))
def test_no_note_is_an_error(document: object) -> None:
    trashed_in(json.dumps(document))
    trashed_in(json.dumps({"at": document, "group": document, "ttl": document, "saved": document}))
    trashed_in(json.dumps({"at": "", "group": "", "ttl": 1, "saved": {"sharenfs": document}}))


@pytest.mark.parametrize("name", ["mountpoint", "-r", "setuid", "zoned", "dev.reconciler:owner"])
def test_a_note_gives_back_only_what_the_trash_takes(name: str) -> None:
    """A note may have been written by whoever a dataset is delegated to."""
    text = f'{{"at":"x","group":"y","ttl":1,"saved":{{"{name}":"/etc","canmount":null}}}}'

    assert trashed_in(text).saved == {"canmount": None}


# What is read.


def exited(text: str, code: int = 0, err: str = "") -> Completed:
    return Completed(Command(("zfs",)), Ending.EXITED, code, text, err)


def backend(usage: str) -> ZfsBackend:
    answers = (exited("", 2, "unrecognized command 'version'\n"), exited("tank\n"), exited("", 2, usage))
    probed = {probe.name: answer for probe, answer in zip(FACT_PROBES, answers, strict=True)}
    return ZfsBackend(HostFacts("SunOS", "5.11", "omnios-r151054", "boot", {}, probed))


PLAIN = backend("usage:\n")
ENCRYPTING = backend("usage:\n\n\tencryption       NO      YES   on | off\n\tencryptionroot   NO       NO   <filesystem>\n")
FIELDS = {"Dataset": frozenset({REMOVAL}), "Volume": frozenset({REMOVAL})}


def read(on: ZfsBackend, objects: Mapping[str, Mapping[str, tuple[str, str] | str]]) -> dict[str, Observed]:
    """Objects by name; a property is value and source, `-` where it is not given, a text alone is a local value."""
    (asked, *_) = on.probes(FIELDS)
    properties = asked.command.argv[-1].split(",")
    usual = {"type": "filesystem", "guid": "1", "usedbydataset": "0", "usedbysnapshots": "0", "mounted": "no"}
    lines = []
    for name, given_values in objects.items():
        for prop in properties:
            found = {**usual, **given_values}.get(prop, "-")
            value, source = (found, "-" if prop in usual or found == "-" else "local") if isinstance(found, str) else found
            lines.append(f"{name}\t{prop}\t{value}\t{source}\n")
    return {one.name.name: one for one in on.read({DATASETS: exited("".join(lines)), SNAPSHOTS: exited("")}, FIELDS)}


def removal(of: Observed) -> Removal:
    assert of.removal is not None
    return of.removal


def test_the_encryption_root_is_asked_only_where_there_is_one() -> None:
    def asked(on: ZfsBackend, field: str) -> list[str]:
        return on.probes({"Dataset": frozenset({field})})[0].command.argv[-1].split(",")

    assert "encryptionroot" in asked(ENCRYPTING, REMOVAL)
    assert "encryptionroot" not in asked(ENCRYPTING, "properties.quota")
    assert "encryptionroot" not in asked(PLAIN, REMOVAL)


def test_the_trash_is_in_the_pool_or_in_the_nearest_encryption_root_above() -> None:
    crypt = {"encryptionroot": "tank/enc"}
    found = read(
        ENCRYPTING,
        {
            "tank": {},
            "tank/a": {},
            "tank/a/b": {},
            "tank/enc": crypt,
            "tank/enc/a": crypt,
            "tank/enc/own": {"encryptionroot": "tank/enc/own"},
            "tank/enc/own/x": {"encryptionroot": "tank/enc/own"},
        },
    )

    assert {name: removal(one).trash_place for name, one in found.items() if name != "tank"} == {
        "tank/a": PLACE,
        "tank/a/b": PLACE,
        "tank/enc": PLACE,
        "tank/enc/a": "tank/enc/.reconciler-trash",
        "tank/enc/own": "tank/enc/.reconciler-trash",
        "tank/enc/own/x": "tank/enc/own/.reconciler-trash",
    }


def test_a_place_that_holds_something_need_not_be_made() -> None:
    full = read(PLAIN, {"tank": {}, "tank/a": {}, PLACE: {}, ENTRY: {}})

    assert removal(full["tank/a"]).has_trash_place
    assert not removal(read(PLAIN, {"tank": {}, "tank/a": {}})["tank/a"]).has_trash_place


@pytest.mark.parametrize(
    ("values", "saved", "reason"),
    [
        ({"canmount": ("on", "default"), "sharenfs": ("off", "default")}, {"canmount": None}, "nothing was set here"),
        ({"canmount": "on"}, {"canmount": "on"}, "set here"),
        ({"canmount": "noauto"}, {}, "not mounted by itself anyway"),
        ({"canmount": "off"}, {}, "never mounted"),
        ({"sharenfs": "rw=@10.0.0.0/8"}, {"sharenfs": "rw=@10.0.0.0/8"}, "shared here"),
        ({"sharenfs": ("on", "inherited from tank")}, {"sharenfs": None}, "shared from above"),
        ({"sharesmb": "name=a b"}, {"sharesmb": "name=a b"}, "shared to others"),
        ({"sharenfs": ("rw", "received")}, {"sharenfs": None}, "what was received counts again when ours goes"),
        ({"refreservation": "1073741824"}, {"refreservation": "1073741824"}, "space set aside"),
        ({"refreservation": "0"}, {}, "none set aside"),
    ],
)
def test_what_must_change_on_the_way_is_saved(values: Mapping[str, str], saved: Mapping[str, str | None], reason: str) -> None:
    found = read(PLAIN, {"tank": {}, "tank/a": values})

    assert removal(found["tank/a"]).saved == saved, reason


def test_a_mounted_one_is_known_as_mounted() -> None:
    assert removal(read(PLAIN, {"tank": {}, "tank/a": {"mounted": "yes"}})["tank/a"]).was_mounted
    assert not removal(read(PLAIN, {"tank": {}, "tank/a": {}})["tank/a"]).was_mounted


MARKS = {"dev.reconciler:owner": "acme", "dev.reconciler:key": "Dataset/tank/web"}
NOTED = Trashed(AT, "0123", 60, False, True, {"canmount": None})


def test_a_note_on_the_object_itself_is_read_and_an_inherited_or_received_one_is_none() -> None:
    text = note(NOTED)
    found = read(
        PLAIN,
        {
            "tank": {},
            PLACE: {},
            ENTRY: {**MARKS, "dev.reconciler:trash": text},
            f"{ENTRY}/below": {"dev.reconciler:trash": (text, f"inherited from {ENTRY}")},
            "tank/copy": {"dev.reconciler:trash": (text, "received")},
        },
    )

    assert {name: one.trashed for name, one in found.items()} == {
        "tank": None,
        PLACE: None,
        ENTRY: NOTED,
        f"{ENTRY}/below": None,
        "tank/copy": None,
    }
    assert found[ENTRY].is_in_trash
    assert found[ENTRY].mark == Mark("acme", ObjectName("Dataset", "tank/web"))


def test_one_that_has_its_own_name_is_not_in_the_trash() -> None:
    assert not read(PLAIN, {"tank": {}, "tank/web": {**MARKS, "dev.reconciler:trash": note(NOTED)}})["tank/web"].is_in_trash


# The commands.


def lines(change: Change, host: Capabilities = ILLUMOS) -> list[str]:
    """The commands; `+` before those that queue for mounting, `!` before what destroys, `?` before one more look."""
    return [_line(step) for step in steps(change, host)]


def _line(step: Step) -> str:
    flags = ("+" if step.lane == "mount" else "") + ("!" if step.destructive else "") + ("?" if step.look_first else "")
    return f"{flags} {step.command}".strip()


MANY: Mapping[str, str | None] = {"canmount": None, "sharenfs": "rw=@10.0.0.0/8", "sharesmb": None}


def trashing(
    removal: Removal, kind: str = "Dataset", *, begun: Trashed | None = None, replaced: bool = False, verb: Verb = Verb.TRASH
) -> Change:
    name = ObjectName(kind, "tank/web")
    observed = Observed(name, {}, mark=Mark("acme", name), removal=removal, trashed=begun)
    resource = Resource(Key("hv01", *name), {}, Origin("web.yaml", 1, 1)) if verb is Verb.REPLACE else None
    return Change(
        Key("hv01", *name),
        verb,
        resource=resource,
        observed=observed,
        mark=Mark("acme", name) if resource is not None else None,
        trashing=Trashing(AT, "0123", 60, 3, replaced),
    )


def noted(trashed: Trashed, lane: str = "?") -> str:
    (step,) = [step for step in steps(trashing(Removal(0, trash_place=PLACE), begun=trashed), ILLUMOS) if step.look_first]
    return f"{lane} {step.command}"


def test_a_mounted_dataset_is_noted_changed_unmounted_and_renamed() -> None:
    change = trashing(Removal(0, trash_place=PLACE, was_mounted=True, saved=MANY))
    said = noted(Trashed(AT, "0123", 60, was_mounted=True, saved=MANY))

    assert lines(change) == [
        CONTAINER,
        said,
        "+ zfs set canmount=noauto sharenfs=off sharesmb=off tank/web",
        "+ zfs unmount tank/web",
        f"+ zfs rename tank/web {ENTRY}",
    ]
    assert lines(change, ZFS_FUSE) == [
        CONTAINER,
        said,
        "+ zfs set canmount=noauto tank/web",
        "+ zfs set sharenfs=off tank/web",
        "+ zfs set sharesmb=off tank/web",
        "+ zfs unmount tank/web",
        f"+ zfs rename tank/web {ENTRY}",
    ]


@pytest.mark.parametrize("host", [ILLUMOS, ZFS_FUSE])
def test_one_with_nothing_to_save_is_noted_and_renamed(host: Capabilities) -> None:
    change = trashing(Removal(0, trash_place=PLACE, has_trash_place=True))

    assert lines(change, host) == [noted(Trashed(AT, "0123", 60)), f"+ zfs rename tank/web {ENTRY}"]


def test_the_note_says_all_that_is_needed() -> None:
    change = trashing(Removal(0, trash_place=PLACE, was_mounted=True, saved=MANY), replaced=True)
    (step,) = [step for step in steps(change, ILLUMOS) if step.look_first]

    prop, _, text = step.command.argv[2].partition("=")

    assert (prop, step.command.argv[3:]) == ("dev.reconciler:trash", ("tank/web",))
    assert trashed_in(text) == Trashed(AT, "0123", 60, True, True, MANY)


def test_the_place_in_an_encryption_root_is_made_there() -> None:
    assert lines(trashing(Removal(0, trash_place="tank/enc/.reconciler-trash")))[0] == (
        "+ zfs create -p -o canmount=off -o mountpoint=none tank/enc/.reconciler-trash"
    )


def test_a_volume_gives_up_its_space_and_needs_no_lane() -> None:
    change = trashing(Removal(0, trash_place=PLACE, has_trash_place=True, saved={"refreservation": str(GIB)}), "Volume")

    _, *rest = lines(change)

    assert rest == ["zfs set refreservation=none tank/web", f"zfs rename tank/web {ENTRY}"]


def test_one_that_was_on_its_way_keeps_what_was_saved_first() -> None:
    begun = Trashed("earlier", "g", None, False, True, {"canmount": "on", "sharenfs": "rw"})
    change = trashing(
        Removal(0, trash_place=PLACE, has_trash_place=True, saved={"sharenfs": "ro", "sharesmb": "on"}), begun=begun
    )

    written, changed, renamed = lines(change)

    assert written == noted(Trashed(AT, "0123", 60, False, True, {"canmount": "on", "sharenfs": "rw", "sharesmb": "on"}))
    assert changed == "+ zfs set sharenfs=off sharesmb=off tank/web"
    assert renamed == f"+ zfs rename tank/web {ENTRY}"


def test_a_replacement_that_keeps_the_old_one_destroys_nothing() -> None:
    change = trashing(Removal(GIB, ("tank/web@a",), trash_place=PLACE, has_trash_place=True), replaced=True, verb=Verb.REPLACE)

    _, moved, made = lines(change)

    assert moved == f"+ zfs rename tank/web {ENTRY}"
    assert made == "+ zfs create -o dev.reconciler:key=Dataset/tank/web -o dev.reconciler:owner=acme tank/web"


def restoring(
    trashed: Trashed, *fields: FieldChange, kind: str = "Dataset", name: str = ENTRY, mounted: bool = False
) -> Change:
    own = ObjectName(kind, "tank/web")
    observed = Observed(
        ObjectName(kind, name), {}, mark=Mark("acme", own), trashed=trashed, removal=Removal(0, was_mounted=mounted)
    )
    resource = Resource(Key("hv01", *own), {}, Origin("web.yaml", 1, 1)) if fields else None
    return Change(Key("hv01", *own), Verb.RESTORE, fields, resource, observed, Mark("acme", own))


def test_a_dataset_comes_back_with_its_name_its_values_and_its_mount() -> None:
    change = restoring(Trashed(AT, "0123", 60, False, True, {"canmount": "on", "sharenfs": "rw=@10.0.0.0/8", "sharesmb": None}))

    assert lines(change) == [
        f"+ zfs rename {ENTRY} tank/web",
        "+ zfs inherit -S sharesmb tank/web",
        "+ zfs set canmount=on sharenfs=rw=@10.0.0.0/8 tank/web",
        "+ zfs mount tank/web",
        "zfs inherit dev.reconciler:trash tank/web",
    ]
    assert lines(change, ZFS_FUSE)[2:4] == [
        "+ zfs set canmount=on tank/web",
        "+ zfs set sharenfs=rw=@10.0.0.0/8 tank/web",
    ]


def test_one_that_was_not_mounted_stays_so() -> None:
    assert lines(restoring(Trashed(AT, "0123", 60))) == [
        f"+ zfs rename {ENTRY} tank/web",
        "zfs inherit dev.reconciler:trash tank/web",
    ]


def test_a_volume_has_its_space_set_aside_again() -> None:
    assert lines(restoring(Trashed(AT, "0123", 60, saved={"refreservation": str(GIB)}), kind="Volume")) == [
        f"zfs rename {ENTRY} tank/web",
        f"zfs set refreservation={GIB} tank/web",
        "zfs inherit dev.reconciler:trash tank/web",
    ]


def test_one_that_was_caught_while_it_was_still_mounted_is_not_mounted_twice() -> None:
    noted = Trashed(AT, "0123", 60, False, True, {"canmount": None})

    assert lines(restoring(noted, name="tank/web", mounted=True)) == [
        "+ zfs inherit -S canmount tank/web",
        "zfs inherit dev.reconciler:trash tank/web",
    ]


def test_what_its_manifest_mounts_is_mounted_once() -> None:
    noted = Trashed(AT, "0123", 60, False, True, {"canmount": None})

    found = lines(restoring(noted, FieldChange("mounted", False, True), name="tank/web"))

    assert found.count("+ zfs mount tank/web") == 1


def test_nothing_is_forced_or_recursive_on_the_way() -> None:
    changes = [
        trashing(Removal(0, ("tank/web@a",), trash_place=PLACE, was_mounted=True, saved=MANY)),
        restoring(Trashed(AT, "0123", 60, False, True, MANY)),
    ]
    flags = {part for one in changes for step in steps(one, ZFS_FUSE) for part in step.command.argv if part[:1] == "-"}

    assert flags <= {"-o", "-p", "-S"}
    assert not any(step.destructive for one in changes for step in steps(one, ILLUMOS))
