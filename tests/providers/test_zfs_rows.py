"""Reading `zfs get`: strict about shape, patient with what people write into user properties."""

from collections.abc import Callable

import pytest

from providers.tools.zfs_rows import in_reading_order, read_rows, read_user_properties
from reconciler.model.errors import ReadError

Output = Callable[[str], str]

MARKS = tuple(f"dev.reconciler:{name}" for name in ("host", "key", "on-removal", "owner", "protect"))
NARROW = ("compression", *MARKS, "org.example:note", "quota", "type")
PLAIN = ("org.example:note", "quota", "type")


def lines(*rows: str) -> str:
    return "".join(row.replace(" ", "\t") + "\n" for row in rows)


def test_type_is_asked_for_last() -> None:
    assert in_reading_order({"type", "zoned", "a:b", "quota"}) == ("a:b", "quota", "zoned", "type")


def test_every_dataset_of_a_real_answer_is_read(zfs_fuse_output: Output) -> None:
    found = {rows.name: rows for rows in read_rows(zfs_fuse_output("get-narrow.txt"), NARROW)}

    assert list(found) == ["tank", "tank/copy", "tank/data", "tank/data@before", "tank/data/web", "tank/with space"]
    assert found["tank/data"].values["quota"] == "1073741824"
    assert found["tank/data"].sources["quota"] == "local"
    assert found["tank/data/web"].sources["dev.reconciler:owner"] == "inherited from tank/data"
    assert found["tank/with space"].values["org.example:note"] == "two words"


def test_a_real_user_property_with_tabs_and_newlines_is_joined(zfs_fuse_output: Output) -> None:
    asked = (*MARKS, "org.example:note", "quota", "type")

    found = {rows.name: rows for rows in read_rows(zfs_fuse_output("get-broken-text.txt"), asked)}

    assert found["tank/data/web"].values["org.example:note"] == "line 1\nline\t2\nline 3"
    assert found["tank/data/web"].values["quota"] == "0"
    assert list(found)[-1] == "tank/with space"


def test_no_output_is_no_dataset() -> None:
    assert list(read_rows("", PLAIN)) == []


@pytest.mark.parametrize("cut", range(1, 60))
def test_an_answer_cut_off_anywhere_inside_a_dataset_is_an_error(cut: int) -> None:
    whole = lines("tank org.example:note - -", "tank quota 0 default", "tank type filesystem -")
    assert len(whole) > cut

    with pytest.raises(ReadError):
        list(read_rows(whole[:-cut], PLAIN))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (lines("tank quota 0 default", "tank type filesystem -"), "a property is missing"),
        (lines("tank org.example:note - -", "tank type filesystem -", "tank quota 0 default"), "another order"),
        (lines("tank org.example:note - -", "tank quota 0 default", "tonk type filesystem -"), "another name in between"),
        (lines("tank org.example:note - -", "tank quota 0 somewhere", "tank type filesystem -"), "no such source"),
        (lines("tank org.example:note - -", "tank quota 0", "tank type filesystem -"), "three columns"),
        (lines(" org.example:note - -", " quota 0 default", " type filesystem -"), "no name"),
        (2 * lines("tank org.example:note - -", "tank quota 0 default", "tank type filesystem -"), "a dataset twice"),
        (lines("tank org.example:note - -", "tank quota 0 0 default", "tank type filesystem -"), "a TAB in a native property"),
        ("warning\n" + lines("tank org.example:note - -", "tank quota 0 default", "tank type filesystem -"), "a line before"),
        (lines("tank org.example:note - -", "tank quota 0 default", "tank type filesystem -") + "done\n", "a line behind"),
        ("\x00\x00\x00\n", "garbage"),
    ],
)
def test_another_shape_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(ReadError):
        pytest.fail(f"{reason}: {list(read_rows(text, PLAIN))}")


def test_text_in_a_user_property_can_not_pass_for_another_dataset() -> None:
    forged = "x\tlocal\ntank\tquota\t0\tdefault\ntank\ttype\tfilesystem\t-\n" + lines(
        "tank/forged org.example:note - -", "tank/forged quota 0 default", "tank/forged type filesystem -"
    )
    text = (
        f"tank\torg.example:note\t{forged}tank\torg.example:note\ty\tlocal\n"
        "tank\tquota\t0\tdefault\ntank\ttype\tfilesystem\t-\n"
    )

    with pytest.raises(ReadError, match="every dataset once"):
        list(read_rows(text, PLAIN))


def test_user_properties_of_any_name_are_found_where_they_are_set(zfs_fuse_output: Output) -> None:
    found = read_user_properties(zfs_fuse_output("get-set-here.txt"))

    assert found["tank/with space"] == {"org.example:note": "two words"}
    assert "tank/data/web" not in found
    assert found["tank/data"]["dev.reconciler:owner"] == "acme"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tank\ta:b\tone\tlocal", "cut off"),
        ("garbage\n", "no row"),
        ("tank\tquota\t0\n", "a native property of three columns"),
        ("tank\ta:b\tone\ntwo\n", "broken text that never ends with a source"),
        ("tank\ta:b\tone\ntwo\ntank\tquota\t0\tlocal\n", "broken text that does not end before the next row"),
    ],
)
def test_a_listing_of_what_is_set_is_read_strictly(text: str, reason: str) -> None:
    with pytest.raises(ReadError):
        pytest.fail(f"{reason}: {read_user_properties(text)}")
