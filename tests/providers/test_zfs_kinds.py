"""Pool, Dataset and Volume: names, fields and what contradicts itself."""

import pytest
from pydantic import ValidationError

from providers.zfs import PROVIDER
from providers.zfs.kinds import DATASET, POOL, VOLUME
from reconciler.model.errors import InvalidValue
from reconciler.model.value import Fields
from reconciler.provider.checks import check_kinds
from reconciler.provider.field import Changing, Null
from reconciler.provider.kind import canonical_value

GIB = 1 << 30


def test_the_kinds_keep_the_contract() -> None:
    check_kinds(PROVIDER)


@pytest.mark.parametrize(
    "name", ["tank", "tank/a", "tank/data/web-1.old:x", "tank/-dash", "tank/.hidden", "tank/two words", "zones/a_b"]
)
def test_a_name_that_every_zfs_takes_is_taken(name: str) -> None:
    assert DATASET.check_name is not None
    DATASET.check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("/tank/a", "a slash first"),
        ("tank/a/", "a slash last"),
        ("tank//a", "two slashes"),
        ("tank/../a", "dots alone"),
        ("tank/a@s", "a snapshot"),
        ("tank/a#b", "a bookmark"),
        ("tank/a%b", "reserved by ZFS"),
        ("tank/ä", "beyond ASCII"),
        ("tank/a ", "a space last"),
        ("tank/ a", "a space first"),
        ("1tank/a", "a pool begins with a letter"),
        ("mirror/a", "a word of zpool"),
        ("raidz2x/a", "a word of zpool"),
        ("log/a", "a word of zpool"),
        ("c0t0d0/a", "illumos takes it for a disk"),
        ("tank/" + "a" * 251, "256 characters"),
        ("tank" + "/a" * 50, "51 parts"),
        ("tank/.reconciler-trash/x", "ours"),
    ],
)
def test_a_name_that_some_zfs_refuses_is_refused(name: str, reason: str) -> None:
    assert DATASET.check_name is not None
    with pytest.raises(InvalidValue) as refused:
        DATASET.check_name(name)

    assert refused.value.remedy, reason


def test_a_volume_lies_in_a_pool() -> None:
    assert VOLUME.check_name is not None
    with pytest.raises(InvalidValue, match="is a pool"):
        VOLUME.check_name("tank")


@pytest.mark.parametrize(
    ("field", "null", "changing"),
    [
        ("properties.compression", Null.UNSET, Changing.LIVE),
        ("properties.quota", Null.NONE, Changing.LIVE),
        ("properties.canmount", Null.REFUSED, Changing.LIVE),
        ("properties.casesensitivity", Null.REFUSED, Changing.REPLACE),
        ("properties.version", Null.REFUSED, Changing.GROWS),
        ("properties.org.example:role", Null.UNSET, Changing.LIVE),
        ("origin", Null.REFUSED, Changing.REPLACE),
        ("createParents", Null.REFUSED, Changing.AT_CREATION),
    ],
)
def test_each_field_of_a_dataset_has_its_rule(field: str, null: Null, changing: Changing) -> None:
    rule = DATASET.rule(field)

    assert (rule.null, rule.changing) == (null, changing)


@pytest.mark.parametrize(
    ("field", "changing"),
    [
        ("size", Changing.GROWS),
        ("sparse", Changing.NEVER),
        ("blockSize", Changing.NEVER),
        ("backing", Changing.NEVER),
        ("properties.refreservation", Changing.LIVE),
    ],
)
def test_each_field_of_a_volume_has_its_rule(field: str, changing: Changing) -> None:
    assert VOLUME.rule(field).changing is changing


def test_an_origin_refers_to_the_dataset_of_its_snapshot() -> None:
    references = DATASET.references("tank/web", {"origin": "tank/golden@v1"})

    assert [(found.field, found.name) for found in references] == [("metadata.name", "tank"), ("spec.origin", "tank/golden")]
    assert references[1].kinds == ("Dataset", "Volume", "Image")


def test_a_dataset_is_complete_when_it_is_mounted() -> None:
    assert dict(DATASET.completion) == {"mounted": True}


@pytest.mark.parametrize("name", ["size", "recordsize.x", "properties.used", "properties.nonsense", "properties.Org:x"])
def test_a_dataset_has_no_such_field(name: str) -> None:
    with pytest.raises(InvalidValue):
        DATASET.rule(name)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"size": 10}, "a bare number"),
        ({"size": "10GB"}, "half of the readers take GB for decimal"),
        ({"blockSize": "3KiB"}, "no power of two"),
        ({"blockSize": "1MiB"}, "too large for a volume"),
        ({"backing": "disk"}, "no such backing"),
        ({"sparse": "yes"}, "text is no boolean"),
        ({"properties": {"compression": ["on"]}}, "a list"),
        ({"properties": {"compression": {"on": True}}}, "a map"),
        ({"colour": "red"}, "no such field"),
    ],
)
def test_a_volume_spec_of_another_shape_is_refused_with_one_error(spec: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        VOLUME.spec.model_validate(spec)

    assert refused.value.error_count() == 1, reason


def test_a_volume_spec_is_read() -> None:
    spec = VOLUME.spec.model_validate(
        {"size": "10GiB", "blockSize": "8K", "sparse": True, "properties": {"compression": None, "org.x:y": 5}}
    )

    assert spec.model_dump(exclude_unset=True) == {
        "size": 10 * GIB,
        "blockSize": 8192,
        "sparse": True,
        "properties": {"compression": None, "org.x:y": 5},
    }


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"size": GIB}, "all that a volume needs"),
        ({"size": GIB, "blockSize": 131072}, "a multiple"),
        ({"size": 24 * 1024, "blockSize": 8192}, "a multiple of the block size that is stated"),
        ({"origin": "tank/golden@v1"}, "a clone has its origin's size"),
        ({"origin": "tank/golden@v1", "size": GIB, "sparse": True}, "a clone is sparse"),
        ({"size": GIB, "sparse": True, "properties.refreservation": GIB // 2}, "less than its size is set aside"),
        ({"size": GIB, "sparse": True, "properties.refreservation": None}, "nothing is set aside"),
        ({"size": GIB, "sparse": False, "properties.refreservation": GIB}, "all of it is set aside"),
    ],
)
def test_a_volume_that_agrees_with_itself_is_taken(fields: Fields, reason: str) -> None:
    assert VOLUME.check_spec is not None, reason
    VOLUME.check_spec(fields)


@pytest.mark.parametrize(
    ("fields", "said", "remedy"),
    [
        ({}, "needs a size", "spec.size"),
        ({"size": 0}, "not a multiple", "16KiB"),
        ({"size": 24 * 1024}, "the default block size", "32KiB"),
        ({"size": 24 * 1024, "blockSize": 16384}, "blockSize", "32KiB"),
        ({"origin": "tank/g@v1", "blockSize": 8192}, "origin's blockSize", "remove"),
        ({"origin": "tank/g@v1", "sparse": False}, "a clone is sparse", "refreservation"),
        ({"size": GIB, "sparse": False, "properties.refreservation": None}, "sets less aside", "one of the two"),
        ({"size": GIB, "sparse": True, "properties.refreservation": GIB}, "sets no less aside", "one of the two"),
    ],
)
def test_a_volume_that_contradicts_itself_is_refused(fields: Fields, said: str, remedy: str) -> None:
    assert VOLUME.check_spec is not None
    with pytest.raises(InvalidValue) as refused:
        VOLUME.check_spec(fields)

    assert said in refused.value.cause
    assert remedy in refused.value.remedy
    assert refused.value.field in fields or not fields


def test_a_clone_can_not_choose_what_only_creation_chooses() -> None:
    assert DATASET.check_spec is not None
    with pytest.raises(InvalidValue, match="origin's utf8only"):
        DATASET.check_spec({"origin": "tank/g@v1", "properties.utf8only": "on"})


HEALTHY: Fields = {"health": "ONLINE", "size": 1000, "free": 250}


@pytest.mark.parametrize(
    ("stated", "observed", "missed"),
    [
        ({"expect.minFree": "20%", "expect.health": "ONLINE"}, HEALTHY, []),
        ({"expect.minFree": "25%"}, HEALTHY, []),
        ({"expect.minFree": "26%"}, HEALTHY, ["expect.minFree"]),
        ({"expect.health": "ONLINE"}, {**HEALTHY, "health": "DEGRADED"}, ["expect.health"]),
        ({"expect.minFree": "1%"}, {"health": "FAULTED", "size": None, "free": None}, ["expect.minFree"]),
        ({}, {"health": "FAULTED"}, []),
    ],
)
def test_expectations_of_a_pool_are_judged(stated: Fields, observed: Fields, missed: list[str]) -> None:
    assert POOL.expectations is not None

    assert [field for field, _ in POOL.expectations(stated, observed)] == missed


@pytest.mark.parametrize(("name", "value"), [("minFree", "lots"), ("minFree", "120%"), ("health", "fine"), ("colour", "red")])
def test_an_expectation_that_means_nothing_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidValue):
        canonical_value(POOL.rule(f"expect.{name}"), value)
