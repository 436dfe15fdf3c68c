"""Sizes, durations and shares as people write them."""

import pytest

from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import (
    approximate_size,
    format_duration,
    format_size,
    parse_duration,
    parse_share,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MiB", 512 << 20), ("10G", 10 << 30), ("10g", 10 << 30), ("1.5TiB", 3 << 39), ("100B", 100), ("0", 0), (0, 0)],
)
def test_a_size_is_binary_whatever_its_case(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("10GB", "write 10GiB"), ("10kB", "write 10KiB"), ("1024", "write 1024MiB"), (1024, "write 1024MiB"), ("ten", "unit")],
)
def test_a_size_that_could_be_misread_is_refused_with_what_to_write(text: str | int, remedy: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_size(text)

    assert remedy in refused.value.remedy


@pytest.mark.parametrize("text", ["0.3B", "1.1K", "-1G", "1 2G", "", "GiB"])
def test_what_is_no_whole_number_of_bytes_is_no_size(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_size(text)


@pytest.mark.parametrize("size", [0, 1, 1000, 1024, 1536, 1 << 20, 3 << 29, 10 << 40, (1 << 60) + 1])
def test_a_size_is_shown_exactly(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(("size", "text"), [(12, "12 B"), (1536, "1.5 KiB"), (10 << 30, "10 GiB"), (1 << 60, "1024 PiB")])
def test_a_size_for_people_is_short(size: int, text: str) -> None:
    assert approximate_size(size) == text


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("14d", 1209600)])
def test_a_duration_is_read_and_shown_alike(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == text


@pytest.mark.parametrize("text", ["", "5", "m", "1m1h", "-5m", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_duration(text)


@pytest.mark.parametrize(("text", "percent"), [("0%", 0), ("30%", 30), ("100%", 100)])
def test_a_share_is_a_percentage(text: str, percent: int) -> None:
    assert parse_share(text) == percent


@pytest.mark.parametrize("text", ["30", "101%", "-1%", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_share(text)
