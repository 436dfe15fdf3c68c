"""Volumes that are files in datasets: their commands, and how they are told from datasets in one look."""

from dataclasses import replace

import pytest

from providers.tools import zfs_volume_files
from providers.zfs.backend import DATASETS, FILES, ZfsBackend
from providers.zfs.capabilities import FACT_PROBES, TRUNCATE, Capabilities
from providers.zfs.steps import steps
from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import REMOVAL, Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields

GIB = 1 << 30
KEY = Key("h", "Volume", "tank/disk0")
MARK = Mark("acme", KEY.object, on_removal=OnRemoval.TRASH)
PLACE = "/var/lib/reconciler-volumes/tank/disk0"


def exited(text: str = "", code: int = 0, err: str = "") -> Completed:
    return Completed(Command(("x",)), Ending.EXITED, code, text, err)


@pytest.fixture
def backend() -> ZfsBackend:
    answers = [exited(code=2, err="unrecognized command 'version'\n"), exited(code=2, err="invalid option 'p'\n")]
    answers += [exited(code=2, err="usage:\n"), exited("truncate (GNU coreutils) 9.1\n")]
    probed = {one.name: answer for one, answer in zip((*FACT_PROBES, TRUNCATE), answers, strict=True)}
    return ZfsBackend(HostFacts("Linux", "6.1", "", "boot", {}, probed))


@pytest.fixture
def host(backend: ZfsBackend) -> Capabilities:
    return backend.host


def lines(change: Change, host: Capabilities) -> list[str]:
    return [str(step.command) for step in steps(change, host)]


def created(host: Capabilities, fields: Fields) -> list[str]:
    resource = Resource(KEY, fields, Origin("v.yaml", 1, 1))
    return lines(Change(KEY, Verb.CREATE, (), resource, None, MARK), host)


def ensured(name: str, size: int) -> str:
    return str(Command(zfs_volume_files.ensure(name, size)))


def test_the_command_that_makes_one_marks_it_and_says_that_it_is_a_volume(host: Capabilities) -> None:
    made, file = created(host, {"size": GIB})

    assert made == (
        "zfs create -o dev.reconciler:key=Volume/tank/disk0 -o dev.reconciler:on-removal=trash -o dev.reconciler:owner=acme "
        f"-o dev.reconciler:volsize={GIB} -o mountpoint={PLACE} -o refreservation={GIB} tank/disk0"
    )
    assert file == ensured("tank/disk0", GIB)
    assert file.endswith(f"sh tank/disk0 {PLACE} {GIB}")


def test_a_sparse_one_sets_no_space_aside_and_its_blocks_are_records(host: Capabilities) -> None:
    made, _ = created(host, {"size": GIB, "sparse": True, "blockSize": 16384, "backing": "file"})

    assert "refreservation" not in made
    assert "-o recordsize=16384" in made


def test_a_zfs_that_has_zvols_takes_files_only_when_asked(host: Capabilities) -> None:
    from providers.tools.zfs_properties import Dialect

    openzfs = replace(host, dialect=Dialect.OPENZFS)

    assert any("-V" in line for line in created(openzfs, {"size": GIB}))
    assert created(openzfs, {"size": GIB, "backing": "file"}) == created(host, {"size": GIB})


def test_a_clone_without_a_size_is_as_large_as_its_origin(host: Capabilities) -> None:
    made, file = created(host, {"origin": "tank/golden@v1"})

    assert made.startswith("zfs clone ")
    assert "-o dev.reconciler:volsize=0" in made
    assert file == ensured("tank/disk0", 0)


def updated(host: Capabilities, observed: Fields, *fields: FieldChange) -> list[str]:
    resource = Resource(KEY, {}, Origin("v.yaml", 1, 1))
    seen = Observed(KEY.object, {"backing": "file", **observed}, mark=MARK)
    return lines(Change(KEY, Verb.UPDATE, fields, resource, seen, MARK), host)


def test_space_set_aside_grows_before_the_size_does(host: Capabilities) -> None:
    grown = FieldChange("size", GIB, 2 * GIB)

    assert updated(host, {"sparse": False}, grown) == [
        f"zfs set refreservation={2 * GIB} tank/disk0",
        f"zfs set dev.reconciler:volsize={2 * GIB} tank/disk0",
        ensured("tank/disk0", 2 * GIB),
    ]
    assert updated(host, {"sparse": True}, grown)[0] == f"zfs set dev.reconciler:volsize={2 * GIB} tank/disk0"


def test_one_that_is_renamed_is_mounted_where_its_new_name_says(host: Capabilities) -> None:
    new = Key("h", "Volume", "tank/disk1")
    seen = Observed(KEY.object, {"backing": "file", "properties.mounted": "yes"}, mark=MARK)
    resource = Resource(new, {}, Origin("v.yaml", 1, 1))
    renamed = FieldChange("name", "tank/disk0", "tank/disk1")

    assert lines(Change(new, Verb.UPDATE, (renamed,), resource, seen, replace(MARK, name=new.object)), host) == [
        "zfs unmount tank/disk0",
        "zfs rename tank/disk0 tank/disk1",
        "zfs set mountpoint=/var/lib/reconciler-volumes/tank/disk1 tank/disk1",
        ensured("tank/disk1", 0),
        "zfs set dev.reconciler:key=Volume/tank/disk1 tank/disk1",
    ]


VOLUME = {
    "dev.reconciler:key": ("Volume/tank/disk0", "local"),
    "dev.reconciler:owner": ("acme", "local"),
    "dev.reconciler:on-removal": ("trash", "local"),
    "dev.reconciler:volsize": (str(GIB), "local"),
    "refreservation": (str(GIB), "local"),
    "mounted": ("yes", "-"),
    "recordsize": ("131072", "default"),
}
PLAIN = {"dev.reconciler:volsize": ("-", "-"), "refreservation": ("0", "default"), "mounted": ("yes", "-")}


def read(backend: ZfsBackend, wanted: frozenset[str], files: str, **objects: dict[str, tuple[str, str]]) -> list[Observed]:
    """What the backend sees of datasets with these values, all below the pool tank."""
    fields = {"Dataset": wanted - {"size", "sparse", "blockSize", "backing"}, "Volume": wanted}
    asked = next(one for one in backend.probes(fields) if one.name == DATASETS).command.argv[-1].split(",")
    text = ""
    for name, values in objects.items():
        known = {"type": ("filesystem", "-"), **values}
        for prop in asked:
            value, source = known.get(prop, ("-", "-"))
            text += f"tank/{name}\t{prop}\t{value}\t{source}\n"
    return list(backend.read({DATASETS: exited(text), FILES: exited(files)}, fields))


SHAPE = frozenset({"size", "sparse", "blockSize", "backing"})


def test_one_look_tells_it_from_a_dataset_and_the_file_says_how_large_it_is(backend: ZfsBackend) -> None:
    disk, web = read(backend, SHAPE, f"{2 * GIB}\ttank/disk0/volume.raw\n", disk0=VOLUME, web=PLAIN)

    assert (disk.name, web.name) == (ObjectName("Volume", "tank/disk0"), ObjectName("Dataset", "tank/web"))
    assert disk.mark == MARK
    assert {name: disk.fields[name] for name in SHAPE} == {
        "size": 2 * GIB,
        "sparse": False,
        "blockSize": 131072,
        "backing": "file",
    }


def test_one_without_its_file_has_no_size_so_that_it_grows(backend: ZfsBackend) -> None:
    (disk,) = read(backend, SHAPE, "", disk0=VOLUME)

    assert disk.fields["size"] == 0


def test_space_that_we_set_aside_counts_as_nobodys_choice(backend: ZfsBackend) -> None:
    wanted = frozenset({"properties.refreservation"})
    less = {**VOLUME, "refreservation": ("4096", "local")}

    ours, theirs = read(backend, wanted, "", disk0=VOLUME, disk1=less)

    assert "properties.refreservation" not in ours.stated_here
    assert "properties.refreservation" in theirs.stated_here


def test_a_size_that_somebody_garbled_does_not_blind_us(backend: ZfsBackend) -> None:
    garbled = {**VOLUME, "dev.reconciler:volsize": ("ten", "local")}

    (disk,) = read(backend, SHAPE, f"{GIB}\ttank/disk0/volume.raw\n", disk0=garbled)

    assert disk.fields["size"] == GIB


def test_what_a_child_inherits_makes_it_no_volume(backend: ZfsBackend) -> None:
    inherited = {**PLAIN, "dev.reconciler:volsize": (str(GIB), "inherited from tank/disk0")}

    (child,) = read(backend, frozenset(), "", child=inherited)

    assert child.name.kind == "Dataset"


@pytest.mark.parametrize("text", ["12\ttank/a/volume.raw", "x\ttank/a/volume.raw\n", "12\ttank/a/other\n", "12\n"])
def test_a_list_of_files_in_any_other_shape_is_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        zfs_volume_files.read_files(text)


def test_its_data_counts_as_data_and_it_goes_into_the_trash_unmounted(backend: ZfsBackend) -> None:
    sizes = {"usedbydataset": ("4096", "-"), "usedbysnapshots": ("0", "-"), "guid": ("1", "-")}
    rest = {"canmount": ("on", "default"), "mountpoint": (PLACE, "local"), "zoned": ("off", "default")}
    (disk,) = read(backend, frozenset({REMOVAL}), "", disk0={**VOLUME, **sizes, **rest})

    assert disk.removal is not None
    assert disk.removal.holds_data
    assert disk.removal.was_mounted
    assert disk.removal.saved == {"canmount": None, "refreservation": str(GIB)}


GUEST = {"dev.reconciler:owner": ("acme", "local"), "dev.reconciler:key": ("Zone/web1", "local")}
BELOW = {
    "dev.reconciler:owner": ("acme", "inherited from tank/zones/web1"),
    "dev.reconciler:key": ("Zone/web1", "inherited from tank/zones/web1"),
}
OWN = {"dev.reconciler:owner": ("acme", "local"), "dev.reconciler:key": ("Dataset/tank/vms", "local")}


def test_what_a_guest_made_belongs_to_it_and_so_does_what_lies_in_it(backend: ZfsBackend) -> None:
    root, below, nobody = read(backend, frozenset(), "", **{"zones/web1": GUEST, "zones/web1/data": BELOW, "zones/x": PLAIN})

    assert (root.belongs_to, below.belongs_to, nobody.belongs_to) == ("Zone/web1", "Zone/web1", "")
    assert root.mark is None


def test_what_holds_the_guests_belongs_to_them_unless_a_manifest_made_it(backend: ZfsBackend) -> None:
    zones, images, vms, other = read(backend, frozenset(), "", zones=PLAIN, images=PLAIN, vms=OWN, **{"data/zones": PLAIN})

    assert zones.belongs_to == "the host's zones"
    assert images.belongs_to == "the host's images"
    assert (vms.belongs_to, other.belongs_to) == ("", "")
    assert vms.mark is not None
