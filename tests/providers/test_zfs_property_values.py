"""Property values: what people may write, what ZFS prints, and the one form of both."""

import pytest

from providers.tools.zfs_properties import PROPERTIES, READ_ONLY, Dialect, On, check_user_property, native_property
from providers.tools.zfs_values import argument, user_value
from reconciler.model.errors import InvalidValue
from reconciler.model.value import Scalar, Value

GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "written", "canonical", "reason"),
    [
        ("quota", "10GiB", 10 * GIB, "our own way to write a size"),
        ("quota", "10G", 10 * GIB, "ZFS's way"),
        ("quota", "10GB", 10 * GIB, "inside properties GB is ZFS's, which is binary"),
        ("quota", "1.5g", 3 * GIB // 2, "fractions and lower case, as ZFS takes them"),
        ("quota", "1073741824", GIB, "bare bytes as text"),
        ("quota", 1073741824, GIB, "bare bytes as a number"),
        ("quota", "none", None, "the word none is an explicit none"),
        ("quota", 0, None, "0 is how ZFS stores none"),
        ("filesystem_limit", 0, 0, "a count of 0 is a limit, not none"),
        ("filesystem_limit", "none", None, "no limit"),
        ("recordsize", "16K", 16384, "a power of two"),
        ("special_small_blocks", 0, 0, "0 turns it off"),
        ("compression", "gzip-6", "gzip", "ZFS prints gzip for it (linux-host.md 1)"),
        ("compression", "gzip-9", "gzip-9", "another level stays"),
        ("compression", "zstd-3", "zstd", "the default level"),
        ("compression", True, "on", "a YAML boolean is on"),
        ("atime", False, "off", "a YAML boolean is off"),
        ("canmount", "noauto", "noauto", "one of three words"),
        ("aclinherit", "secure", "restricted", "the old word for it"),
        ("acltype", "posixacl", "posix", "two words for one"),
        ("normalization", "formKC", "formKC", "words with capitals stay as they are"),
        ("copies", 2, 2, "a number"),
        ("copies", "2", 2, "a number in quotes"),
        ("mountpoint", "/srv//web/", "/srv/web", "doubled and trailing slashes mean nothing"),
        ("mountpoint", "/", "/", "the root stays"),
        ("mountpoint", "legacy", "legacy", "a word instead of a path"),
        ("sharenfs", True, "on", "a YAML boolean"),
        ("sharenfs", "rw=@10.0.0.0/8", "rw=@10.0.0.0/8", "options are passed on"),
    ],
)
def test_a_written_value_has_one_canonical_form(name: str, written: Scalar, canonical: Value, reason: str) -> None:
    assert PROPERTIES[name].stated(written) == canonical, reason


@pytest.mark.parametrize(
    ("name", "written", "said", "reason"),
    [
        ("quota", "ten", "is not a size", "no number"),
        ("quota", "-1G", "is not a size", "negative"),
        ("quota", True, "is not a size", "a boolean is no size"),
        ("quota", 1.5, "is not a size", "1.5 of what?"),
        ("quota", "16E", "too large", "64 bits are full"),
        ("quota", "1.00001K", "whole number", "ZFS would round it"),
        ("recordsize", "100K", "power of two", "not a power of two"),
        ("recordsize", "256", "power of two", "less than a sector"),
        ("recordsize", "32M", "power of two", "more than any ZFS takes"),
        ("compression", "LZ4", "can't be", "words are lower case"),
        ("compression", "brotli", "can't be", "no ZFS has it"),
        ("atime", "yes", "can't be", "ZFS says on"),
        ("refreservation", "auto", "compared", "auto reads back as a number"),
        ("copies", 4, "one of", "three at most"),
        ("filesystem_limit", "10K", "whole number", "a count has no unit"),
        ("mountpoint", "srv/web", "can't be", "relative"),
        ("mountpoint", "/srv/../etc", "..", "not a normal path"),
        ("mountpoint", "/srv\tweb", "can't be", "would break the lines that we read"),
        ("mountpoint", True, "can't be", "not a switch"),
        ("sharenfs", "", "can't be", "an empty value is a usage error"),
    ],
)
def test_a_value_that_no_zfs_takes_is_refused_with_a_remedy(name: str, written: Scalar, said: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        PROPERTIES[name].stated(written)

    assert said in refused.value.cause, reason
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("name", "printed", "canonical", "reason"),
    [
        ("quota", "0", None, "-p prints none as 0"),
        ("quota", "1073741824", GIB, "bytes"),
        ("snapshot_limit", "18446744073709551615", None, "how illumos prints no limit with -p"),
        ("snapshot_limit", "none", None, "how OpenZFS prints it"),
        ("snapshot_limit", "0", 0, "a limit of nothing"),
        ("recordsize", "131072", 131072, "bytes"),
        ("compression", "gzip-6", "gzip", "should a ZFS print it so"),
        ("compression", "lz9", "lz9", "a word from the future does not stop us from seeing"),
        ("mountpoint", "/srv/web/", "/srv/web", "kept as it was written"),
        ("mountpoint", "-", None, "a volume has none"),
        ("copies", "1", 1, "a number"),
        ("sharenfs", "on", "on", "text"),
    ],
)
def test_a_printed_value_has_the_same_canonical_form(name: str, printed: str, canonical: Value, reason: str) -> None:
    assert PROPERTIES[name].observed(printed) == canonical, reason


@pytest.mark.parametrize("name", sorted(PROPERTIES))
def test_what_is_sent_to_the_tool_reads_back_as_it_was_stated(name: str) -> None:
    known = PROPERTIES[name]
    words = [word for group in (known.words, *known.more.values()) for word in group]
    samples: list[Scalar] = [*words] or {"MOUNTPOINT": ["/a", "none"], "OPTIONS": ["on"]}.get(known.form.name, [8192])

    for sample in samples:
        canonical = known.stated(sample)

        assert known.observed(argument(canonical)) == canonical


@pytest.mark.parametrize(
    ("name", "on", "said", "remedy"),
    [
        ("used", On.FILESYSTEM, "read-only", "remove"),
        ("origin", On.FILESYSTEM, "read-only", "remove"),
        ("volsize", On.VOLUME, "can't stand in properties", "spec.size"),
        ("volblocksize", On.VOLUME, "can't stand in properties", "spec.blockSize"),
        ("volsize", On.FILESYSTEM, "can't stand in properties", "only a Volume"),
        ("encryption", On.FILESYSTEM, "reserved", "remove"),
        ("keylocation", On.FILESYSTEM, "reserved", "remove"),
        ("compress", On.FILESYSTEM, "short form", "write compression"),
        ("recsize", On.FILESYSTEM, "short form", "write recordsize"),
        ("volblock", On.VOLUME, "short form", "write spec.blockSize"),
        ("comperssion", On.FILESYSTEM, "not a ZFS property", "write compression"),
        ("color", On.FILESYSTEM, "not a ZFS property", "colon"),
        ("userquota@joe", On.FILESYSTEM, "not managed", "remove"),
        ("recordsize", On.VOLUME, "a volume has no property", "remove"),
        ("volmode", On.FILESYSTEM, "a file system has no property", "remove"),
    ],
)
def test_a_name_that_can_not_be_set_is_refused_with_the_way_out(name: str, on: On, said: str, remedy: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        native_property(name, on)

    assert said in refused.value.cause
    assert remedy in refused.value.remedy


def test_no_property_is_both_settable_and_read_only() -> None:
    assert not PROPERTIES.keys() & READ_ONLY


@pytest.mark.parametrize(
    ("dialect", "name", "value", "taken"),
    [
        (Dialect.ZFS_FUSE, "compression", "lz4", False),
        (Dialect.ILLUMOS, "compression", "lz4", True),
        (Dialect.ILLUMOS, "compression", "zstd", False),
        (Dialect.OPENZFS, "compression", "zstd-19", True),
        (Dialect.ZFS_FUSE, "compression", "gzip", True),
        (Dialect.ZFS_FUSE, "recordsize", 1 << 20, False),
        (Dialect.ILLUMOS, "recordsize", 1 << 20, True),
        (Dialect.ILLUMOS, "recordsize", 1 << 21, False),
        (Dialect.ZFS_FUSE, "checksum", "skein", False),
        (Dialect.ZFS_FUSE, "compression", None, True),
        (Dialect.ZFS_FUSE, "quota", 1 << 50, True),
    ],
)
def test_each_zfs_takes_its_own_words(dialect: Dialect, name: str, value: Value, taken: bool) -> None:
    assert PROPERTIES[name].is_taken_by(dialect, value) is taken


@pytest.mark.parametrize("name", ["org.example:role", "a:b", "x:_.-9", ":a", "a" * 253 + ":b"])
def test_a_user_property_needs_a_colon_and_few_characters(name: str) -> None:
    check_user_property(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Org:role", "upper case"),
        ("org:rôle", "beyond ASCII"),
        ("-a:b", "a dash first"),
        ("a b:c", "a space"),
        ("a" * 254 + ":b", "too long"),
        ("dev.reconciler:owner", "our own mark"),
        ("dev.reconciler:anything", "the whole prefix is ours"),
    ],
)
def test_a_user_property_that_zfs_or_we_can_not_have_is_refused(name: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        check_user_property(name)

    assert refused.value.remedy, reason


@pytest.mark.parametrize(
    ("written", "canonical"), [("web", "web"), (5, "5"), ("-", "-"), (" a ", " a "), ("é" * 500, "é" * 500)]
)
def test_a_user_property_holds_text(written: Scalar, canonical: str) -> None:
    assert user_value(written) == canonical


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "zfs takes an empty value for a usage error"),
        ("a\tb", "a TAB breaks the lines that we read"),
        ("a\nb", "so does a newline"),
        (True, "true, on or yes? only quotes tell"),
        (1.10, "1.1 or 1.10? only quotes tell"),
        ("x" * 1001, "too long for some ZFS"),
        ("é" * 501, "bytes count, not characters"),
    ],
)
def test_text_that_would_not_come_back_is_refused(written: Scalar, reason: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        user_value(written)

    assert refused.value.remedy, reason
