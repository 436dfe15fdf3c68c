"""The engine's own kinds."""

import pytest

from reconciler.desired.host import host_manifest
from reconciler.desired.repository import guardrails
from reconciler.desired.yaml_documents import YamlMapping, documents
from reconciler.model.guardrails import Guardrails
from reconciler.model.host import Connection, Elevation, HostManifest, Limits, TransportType
from reconciler.model.lifecycle import Mode
from reconciler.model.origin import Origin
from tests.desired.toy import TOY
from tests.desired.trees import BASE, REPOSITORY, tree_of, valid

KINDS = frozenset({"Box", "Rope"})
ORIGIN = Origin("hosts/hv01/host.yaml", 1, 1)


def spec(text: str) -> YamlMapping:
    (document,) = documents(text.encode())
    return document.value


def made(text: str) -> HostManifest:
    found = host_manifest("hv01", {}, ORIGIN, spec(text), KINDS)
    assert isinstance(found, HostManifest), found
    return found


def test_a_local_host_needs_no_more_than_its_transport() -> None:
    assert made("transport: {type: local}") == HostManifest("hv01", Connection(TransportType.LOCAL), ORIGIN)


def test_a_host_has_everything_that_its_manifest_states() -> None:
    found = made("""
transport: {type: local, path: "/opt/bin:/usr/bin"}
identity: {hostname: hv01, systemUuid: 4c4c4544, hostId: 00bab10c, machineId: abc}
elevate: pfexec
mode: report
defaultPool: zones
vars: {rack: a3}
limits: {parallel: 8, perPool: 2, perKind: {Box: 1}}
""")

    assert found == HostManifest(
        name="hv01",
        connection=Connection(TransportType.LOCAL, path="/opt/bin:/usr/bin"),
        origin=ORIGIN,
        identity={"hostname": "hv01", "systemUuid": "4c4c4544", "hostId": "00bab10c", "machineId": "abc"},
        elevate=Elevation.PFEXEC,
        mode=Mode.REPORT,
        default_pool="zones",
        variables={"rack": "a3"},
        limits=Limits(8, 2, {"Box": 1}),
    )


def test_an_emulated_host_has_pools_in_bytes_and_links() -> None:
    found = made("transport: {type: emulated, system: smartos, pools: {zones: 1TiB, data: 10G}, links: [igb0]}")

    assert found.connection == Connection(TransportType.EMULATED, "smartos", {"zones": 1 << 40, "data": 10 << 30}, ("igb0",))


def test_pools_and_links_that_are_not_stated_are_the_systems_usual_ones() -> None:
    connection = made("transport: {type: emulated, system: omnios}").connection

    assert (connection.pools, connection.links) == (None, None)


def test_labels_and_variables_of_a_host_reach_desired_state() -> None:
    text = BASE["hosts/hv01/host.yaml"].replace("{name: hv01}", "{name: hv01, labels: {role: web}}")

    found = valid(tree_of(BASE | {"hosts/hv01/host.yaml": text}).load(TOY)).desired

    assert found.hosts["hv01"].labels == {"role": "web"}
    assert found.hosts["hv01"].origin == Origin("hosts/hv01/host.yaml", 1, 1)


@pytest.mark.parametrize("text", ["{}", "guardrails: {}", "guardrails: {removals: {perHost: {}, total: {}}, restarts: {}}"])
def test_guardrails_that_are_not_stated_have_the_defaults_of_the_contract(text: str) -> None:
    assert guardrails(spec(text), KINDS) == Guardrails()


def test_guardrails_are_what_the_repository_states() -> None:
    found = guardrails(
        spec("""
guardrails:
  removals: {perHost: {count: 1, share: 5%}, total: {count: 2}, bytes: 3GiB}
  restarts: {perHost: 0}
  protect: ["hv01/Box/*", "*/Rope/*"]
  forbidKinds: [Rope]
  forbidVerbs: [delete, replace]
"""),
        KINDS,
    )

    assert found == Guardrails(
        removals_per_host=1,
        removals_share_percent=5,
        removals_total=2,
        removals_bytes=3 << 30,
        restarts_per_host=0,
        protect=("hv01/Box/*", "*/Rope/*"),
        forbid_kinds=("Rope",),
        forbid_verbs=("delete", "replace"),
    )


def test_the_repositorys_name_is_the_owner() -> None:
    found = valid(tree_of(BASE).load(TOY))

    assert (found.desired.owner, found.warnings) == ("fleet", ())


@pytest.mark.parametrize(
    ("name", "is_right", "reason"),
    [
        ("a", True, "the shortest"),
        ("a" * 32, True, "the longest"),
        ("fleet-1", True, "letters, a digit, a dash"),
        ("a" * 33, False, "too long"),
        ("Fleet", False, "an upper-case letter"),
        ("fleet.one", False, "a dot"),
    ],
)
def test_an_owner_fits_into_every_mark(name: str, is_right: bool, reason: str) -> None:
    loaded = tree_of(BASE | {"repository.yaml": REPOSITORY.replace("fleet", name)}).load(TOY)

    assert (type(loaded).__name__ == "ValidTree") is is_right, reason
