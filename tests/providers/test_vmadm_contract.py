"""Providers zones and kvm against the contract, on an emulated SmartOS host."""

from dataclasses import replace

import pytest

from providers.kvm import PROVIDER as KVM
from providers.tools.vmadm import get
from providers.zones import PROVIDER as ZONES
from reconciler.model.change import Change, Verb
from reconciler.model.command import Completed, Ending
from reconciler.model.errors import ReadError, ReconcilerError
from reconciler.model.key import Key
from reconciler.model.observed import EVERY_FIELD, REMOVAL
from reconciler.provider.checks import check_explanations, check_kinds, check_probes, check_reading, check_steps
from reconciler.provider.contract import Provider, Served
from reconciler.provider.life import Sample, check_life
from tests.providers.conftest import TryoutHost
from tests.providers.guest_ground import ZONE_IMAGE, GuestGround
from tests.providers.test_vmadm_life import GUESTS, MACHINE, VM, ZONE

MIB = 1 << 20
PROVIDERS = {"zones": ZONES, "kvm": KVM}


@pytest.fixture
def ground(smartos: TryoutHost) -> GuestGround:
    return GuestGround(smartos)


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    return PROVIDERS[request.param]


def test_kinds_keep_the_contract(provider: Provider) -> None:
    check_kinds(provider)


def test_probes_keep_the_contract(ground: GuestGround, provider: Provider) -> None:
    check_probes(provider, ground.backends[provider.kinds[0].name])


def test_answers_are_read_strictly(ground: GuestGround, provider: Provider) -> None:
    for name, fields in (GUESTS["zone"], GUESTS["kvm"]):
        ground.bring_about(name, fields)

    check_reading(provider, ground.backends[provider.kinds[0].name], ground.host.run)


def test_failures_are_explained(ground: GuestGround, provider: Provider) -> None:
    check_explanations(provider, ground.backends[provider.kinds[0].name], get("4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01"))


@pytest.mark.parametrize("guest", GUESTS)
def test_steps_keep_the_contract(ground: GuestGround, guest: str) -> None:
    name, fields = GUESTS[guest]
    provider = KVM if name.kind == "VirtualMachine" else ZONES
    backend = ground.backends[name.kind]
    creation = ground.change(name, fields)
    assert creation is not None
    check_steps(provider, backend, creation)
    ground.carry_out(creation)

    there = ground.here(name)
    assert there is not None
    for verb in (Verb.TRASH, Verb.DELETE):
        removal = ground.removal(name, verb)
        assert removal is not None
        check_steps(provider, backend, removal)
    check_steps(provider, backend, replace(creation, verb=Verb.REPLACE, observed=there))
    check_steps(provider, backend, Change(Key("hv01", *name), Verb.FORGET, observed=there))


SAMPLES = {
    "zone": Sample(
        ZONE,
        {"brand": "joyent", "memory": 512 * MIB, "nics": ("net0",), "nics.net0.over": "external", "tags.role": "web"},
        {"memory": 1024 * MIB, "tags.role": None, "nics.net0.allow.macSpoofing": True, "cpuCap": 100},
        {"image": ZONE_IMAGE},
    ),
    "bhyve": Sample(
        VM,
        {"engine": "bhyve", "memory": 1024 * MIB, "disks": ("root",), "disks.root.size": 64 * MIB, "disks.root.boot": True},
        {"memory": 2048 * MIB, "disks.root.properties.compression": "lz4", "autoboot": False},
    ),
}


@pytest.mark.parametrize("cut", [None, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_guest_lives_and_goes_as_the_contract_says(ground: GuestGround, sample: str, cut: int | None) -> None:
    provider = KVM if sample == "bhyve" else ZONES
    backend = ground.backends[SAMPLES[sample].name.kind]

    check_life(provider, backend, ground.host.run, SAMPLES[sample], stop_after=cut)


def test_one_command_reads_all_guests_however_many_there_are(ground: GuestGround) -> None:
    asked = frozenset({"memory", "nics.net0.over"})
    both = [probe.command for kind in ("Zone", "VirtualMachine") for probe in ground.backends[kind].probes({kind: asked})]

    assert {command.argv for command in both} == {("vmadm", "lookup", "-j")}
    assert len(set(both)) == 1


@pytest.mark.parametrize("guest", GUESTS)
def test_confirm_shows_the_guest_as_the_whole_look_does(ground: GuestGround, guest: str) -> None:
    name, fields = GUESTS[guest]
    creation = ground.change(name, fields)
    assert creation is not None
    backend = ground.backends[name.kind]
    assert backend.confirmed(creation, ground.host.run(backend.confirm(creation).command)) is None

    ground.carry_out(creation)

    found = backend.confirmed(creation, ground.host.run(backend.confirm(creation).command))
    there = ground.here(name)
    assert found is not None
    assert there is not None
    assert (found.name, found.identity, found.mark) == (there.name, there.identity, there.mark)
    unread = {"volumesAway", "takenPlaces"}
    assert found.fields == {one: value for one, value in there.fields.items() if one not in unread}


def test_a_guest_in_the_trash_is_gone_to_whoever_put_it_there(ground: GuestGround) -> None:
    ground.bring_about(*GUESTS["zone"])
    trashing = ground.removal(ZONE, Verb.TRASH)
    assert trashing is not None
    backend = ground.backends["Zone"]
    assert backend.confirmed(trashing, ground.host.run(backend.confirm(trashing).command)) is not None

    ground.carry_out(trashing)

    assert backend.confirmed(trashing, ground.host.run(backend.confirm(trashing).command)) is None


def test_an_answer_that_is_no_answer_is_no_absence(ground: GuestGround) -> None:
    change = ground.change(*GUESTS["zone"])
    assert change is not None
    backend = ground.backends["Zone"]
    command = backend.confirm(change).command

    for answer in (
        Completed(command, Ending.LOST, None),
        Completed(command, Ending.EXITED, 1, stderr="connection refused\n"),
        Completed(command, Ending.EXITED, 0, stdout="[]"),
        Completed(command, Ending.EXITED, 0, stdout=""),
    ):
        with pytest.raises(ReadError):
            backend.confirmed(change, answer)


def test_a_guest_that_could_lie_in_several_pools_needs_to_be_told_which(smartos: TryoutHost) -> None:
    ground = GuestGround(smartos)
    change = ground.change(*GUESTS["zone"])
    assert change is not None
    backend = ground.backends["Zone"]
    assert '"zpool":"zones"' in str(backend.steps(replace(change, default_pool=""))[0].command.stdin)

    backend.pools = frozenset({"zones", "tank"})  # type: ignore[attr-defined]

    with pytest.raises(ReconcilerError, match="nothing says in which pool"):
        backend.steps(replace(change, default_pool=""))


def test_other_systems_are_not_served(smartos: TryoutHost, provider: Provider) -> None:
    facts = replace(smartos.facts, version="omnios-r151054")

    (backend,) = provider.backends(facts.system)
    assert backend.serves(facts).served is Served.NO


def test_everything_is_asked_for_where_everything_is_wanted(ground: GuestGround) -> None:
    ground.bring_about(VM, MACHINE)

    probes = ground.backends["VirtualMachine"].probes({"VirtualMachine": frozenset({EVERY_FIELD, REMOVAL})})

    assert [probe.command.argv[0] for probe in probes] == ["vmadm", "zfs", "zfs"]
