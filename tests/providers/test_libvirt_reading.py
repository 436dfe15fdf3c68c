"""What virsh prints of domains, read into canonical fields. The output is of libvirt 9.0 and zfs-fuse on Debian 12."""

from pathlib import Path

import pytest

from providers.tools import libvirt_reading, linux_ports, virsh
from providers.tools.libvirt_marks import Going, Notes, read_notes, write_notes
from providers.tools.libvirt_objects import read_host
from providers.tools.libvirt_ports import Seen
from providers.tools.libvirt_reading import Around
from providers.tools.libvirt_storage import read_storage
from providers.tools.libvirt_xml import copied, parse, written
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import EVERY_FIELD, Mark, Observed
from reconciler.model.trash import Trashed

OUTPUT = Path(__file__).parent / "output" / "libvirt"
DOMAINS, DATASETS = (OUTPUT / "domains.txt").read_text(), (OUTPUT / "datasets.txt").read_text()
MIB = 1 << 20
WEB1 = "775359f2-a9a9-5e81-80d0-5b875c0410f2"


def ports() -> Seen:
    texts = {
        "linux.links": (OUTPUT / "links.json").read_text(),
        "linux.filters": (OUTPUT / "filters.json").read_text(),
    }
    outputs = {
        probe.name: Completed(
            probe.command, Ending.EXITED, 0, texts.get(probe.name, '{"nftables": []}' if "fire" in probe.name else "[]\n")
        )
        for probe in linux_ports.probes()
    }
    return linux_ports.read_ports(outputs)


def machines(text: str = DOMAINS, *, seen: Seen | None = None, asked: tuple[str, ...] = ()) -> dict[str, Observed]:
    host = read_host(text)
    around = Around(host.files, read_storage(DATASETS, ()), seen, removal=True)
    found = (libvirt_reading.observed(domain, asked, around) for domain in host.domains)
    return {one.name.name: one for one in found}


def test_every_domain_of_the_host_is_read_ours_and_others() -> None:
    found = machines()
    assert found.keys() == {"web1", "idle1", "other vm"}
    assert found["web1"].mark == Mark(
        "tests", ObjectName("VirtualMachine", "web1"), "3d1219c7c4c5404aaa1f6d2a48adfda4", on_removal=OnRemoval.DELETE
    )
    assert found["other vm"].mark is None
    assert found["web1"].identity == WEB1


def test_a_machine_of_ours_is_read_with_its_items_under_our_names() -> None:
    web1 = machines(seen=ports())["web1"]
    assert web1.running is True
    assert web1.own_items == {"disks.root", "disks.data", "nics.net0"}
    expected = {
        "state": "running",
        "engine": "qemu",
        "memory": 64 * MIB,
        "cpus": 1,
        "hostname": "web1",
        "tags.role": "web",
        "console.serial": "log",
        "console.vnc.port": 0,
        "disks": ("data", "root"),
        "disks.root.size": MIB,
        "disks.root.boot": True,
        "disks.data.serial": "abc",
        "nics.net0.over": "br7",
        "nics.net0.mac": "02:08:20:00:00:07",
        "nics.net0.ips": ("10.7.0.5/24",),
        "nics.net0.link": "web1_0",
    }
    assert {name: web1.fields[name] for name in expected} == expected
    assert web1.pending_restart == ()
    assert web1.interrupted == ""


def test_a_domain_of_somebody_else_has_names_of_its_own_for_its_items_and_no_filter() -> None:
    other = machines(asked=(EVERY_FIELD,))["other vm"]
    assert other.own_items == frozenset()
    assert other.fields["disks.sda.path"] == "/srv/other & more.qcow2"
    assert "disks.sda.size" not in other.fields
    assert machines(seen=ports())["other vm"].fields["nics.net0.allow.macSpoofing"] is True
    assert "memory" in other.stated_here
    assert not [name for name in other.stated_here if name.startswith("disks")]


def test_what_a_removal_takes_is_what_bears_the_mark() -> None:
    removal = machines()["web1"].removal
    assert removal is not None
    assert removal.bytes == 122880 + 2 * 114688
    assert removal.saved == {"autoboot": "false", "state": "running"}


def test_without_the_hosts_links_nothing_is_said_of_ports() -> None:
    web1 = machines()["web1"]
    assert "nics.net0.over" not in web1.fields
    assert "portsStand" not in web1.fields


def test_a_port_that_is_gone_is_told_by_what_its_nic_is_plugged_into() -> None:
    web1 = machines(seen={})["web1"]
    assert web1.fields["nics.net0.over"] is None
    assert web1.fields["portsStand"] is False


def test_a_stopped_machine_that_starts_by_itself_and_has_no_port_was_not_started_since_the_host_booted() -> None:
    text = DOMAINS.replace("State:          running", "State:          shut off")
    assert machines(text, seen={})["web1"].interrupted == ""
    begin, autostart, rest = text.partition(f"UUID:           {WEB1}")
    text = begin + autostart + rest.replace("Autostart:      disable", "Autostart:      enable", 1)
    assert machines(text, seen={})["web1"].interrupted == "running"
    assert machines(text, seen=ports())["web1"].interrupted == ""


def test_what_waits_for_the_next_start_is_told_by_the_host_alone() -> None:
    stored, runs, rest = DOMAINS.partition("<domain type='qemu' id=")
    place = stored.rindex("<vcpu placement='static'>1")
    stored = stored[:place] + stored[place:].replace("<vcpu placement='static'>1", "<vcpu placement='static'>2", 1)
    place = stored.rindex("<serial>abc")
    stored = stored[:place] + stored[place:].replace("<serial>abc", "<serial>xyz", 1)
    assert machines(stored + runs + rest)["web1"].pending_restart == ("cpus", "disks.data.serial")


def test_a_disk_that_nobody_is_making_and_that_is_gone_blocks() -> None:
    text = "".join(line for line in DOMAINS.splitlines(keepends=True) if not line.startswith("file ") or "/data/" not in line)
    web1 = machines(text)["web1"]
    assert "disk data is not where it was" in web1.stuck
    assert web1.unsticking


def with_dead(name: str = "web1", text: str = DOMAINS) -> str:
    return text.removesuffix("end\n") + f"dead {name}\nend\n"


def test_a_machine_whose_disks_died_is_told_of_and_freed_by_a_stated_state() -> None:
    lost = machines(with_dead())["web1"]

    assert (lost.fields["state"], lost.running, lost.interrupted, lost.state_unsticks) == ("dead", True, "", True)
    assert "lost its disks" in lost.stuck
    assert "state: running" in lost.unsticking
    assert machines()["web1"].fields["state"] == "running"
    assert not machines()["web1"].state_unsticks


def test_a_machine_whose_disks_died_and_that_starts_by_itself_is_to_run_again() -> None:
    text = with_dead(text=DOMAINS.replace("Autostart:      disable", "Autostart:      enable"))

    lost = machines(text)["web1"]

    assert (lost.fields["state"], lost.interrupted, lost.stuck) == ("dead", "running", "")


def test_a_domain_that_stopped_meanwhile_lost_nothing() -> None:
    assert machines(with_dead("idle1"))["idle1"].fields["state"] == "stopped"


def test_in_the_trash_it_has_left_its_name() -> None:
    notes = '<reconciler:note name="trash">{"at": "20261121T000000.000Z", "group": "g", "ttl": null}</reconciler:note>'
    begin, uuid, rest = DOMAINS.partition("<uuid>1f6908f0")
    text = begin + uuid + rest.replace("</reconciler:guest>", f"{notes}</reconciler:guest>", 1)
    found = machines(text)
    idle = found["trash.20261121T000000.000Z.idle1"]
    assert idle.is_in_trash
    assert idle.trashed == Trashed("20261121T000000.000Z", "g", None)


@pytest.mark.parametrize(
    "spoiled",
    [
        "",
        "garbage\n",
        DOMAINS[: len(DOMAINS) // 2],
        DOMAINS.removesuffix("end\n"),
        DOMAINS.replace("State:          running", "State:          dancing"),
        DOMAINS.replace("Autostart:      disable", "Autostart:      perhaps"),
        DOMAINS.replace("</devices>", "", 1),
        DOMAINS.replace(f"<uuid>{WEB1}", "<uuid>775359f2-a9a9-5e81-80d0-000000000000"),
        DOMAINS.replace("<memory unit='KiB'>65536", "<memory unit='KiB'>much").replace(
            "<currentMemory unit='KiB'>65536", "<currentMemory>x"
        ),
        DOMAINS.replace("file 1048576", "file many"),
        with_dead("").replace("dead ", "deadly "),
        with_dead(""),
        DOMAINS.replace("domain ", "domain x", 1),
    ],
)
def test_any_other_shape_is_an_error_and_never_fewer_domains(spoiled: str) -> None:
    with pytest.raises(ReadError):
        machines(spoiled)


def test_a_document_type_is_refused_before_its_entities_grow() -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><domain><name>&b;</name></domain>'
    with pytest.raises(ReadError):
        parse(bomb, "domain")


def test_what_others_keep_in_a_definition_is_written_back_as_it_was() -> None:
    text = """\
<domain xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <metadata>
    <o:thing xmlns:o="urn:other" a="&lt;&quot;'">kept &amp; safe</o:thing>
    <!-- so is this -->
  </metadata>
  <qemu:commandline>
    <qemu:arg value="-x" />
  </qemu:commandline>
</domain>
"""
    assert written(parse(text, "domain")) == text


def test_notes_are_read_as_they_were_written() -> None:
    notes = Notes(
        Mark("acme", ObjectName("VirtualMachine", "a"), "h", Protect.ALL, OnRemoval.TRASH),
        {"hostname": "<&'\">", "nics.net0.ips": ("a", "b"), "firewallEnabled": True, "nics.net0.mtu": 1400},
        {"root": "vda"},
        {"net0": "02:00:00:00:00:01"},
        "running",
        ("root",),
        {"data": Going("tank/vms/a/data", "tank/.reconciler-trash/x", Trashed("t", "g", 5))},
        "old",
        Trashed("t", "g", None, saved={"autoboot": "true"}),
    )
    tree = parse("<domain><metadata><o:x xmlns:o='urn:o'/></metadata></domain>", "domain")
    bare = written(tree)
    write_notes(tree, notes)
    again = parse(written(tree), "domain")
    assert read_notes(again) == notes
    write_notes(again, Notes())
    assert written(again) == bare
    assert written(copied(again)) == bare


@pytest.mark.parametrize("text", ["", "null", "[1]", "{", '{"disks": 5}', '"x"'])
def test_notes_that_somebody_garbled_say_nothing_and_break_nothing(text: str) -> None:
    tree = parse("<domain/>", "domain")
    write_notes(tree, Notes(disks={"a": "vda"}, trashed=Trashed("", "", None), makes=("a",)))
    for found in tree.iter("reconciler:note"):
        found.text = text
    notes = read_notes(tree)
    assert notes.disks == {}
    assert notes.trashed is not None
    assert notes.makes == ()


def test_commands_name_domains_by_uuid() -> None:
    for command in (virsh.start(WEB1), virsh.stop(WEB1), virsh.undefine(WEB1), virsh.autostart(WEB1, wanted=True)):
        assert isinstance(command, Command)
        assert WEB1 in command.argv
