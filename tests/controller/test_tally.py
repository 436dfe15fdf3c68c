"""What a revision takes away over all hosts, counted while each host plans for itself."""

from reconciler.controller.host_loop import Tally
from reconciler.model.key import Key
from reconciler.planning.guardrail import Taken


def key(name: str, host: str = "h") -> Key:
    return Key(host, "Dataset", name)


def test_a_host_sees_what_the_others_take_and_not_its_own() -> None:
    tally = Tally()
    tally.add("h", {key("tank/a"): 5, key("tank/b"): 7})
    tally.add("k", {key("tank/a", "k"): 11})

    assert tally.elsewhere("h") == Taken(1, 11)
    assert tally.elsewhere("k") == Taken(2, 12)
    assert tally.elsewhere("new") == Taken(3, 23)


def test_removals_of_later_passes_add_up() -> None:
    tally = Tally()
    tally.add("h", {key("tank/a"): 5})
    tally.add("h", {key("tank/b"): 7})

    assert tally.elsewhere("k") == Taken(2, 12)


def test_a_removal_that_is_tried_again_counts_once_with_its_latest_size() -> None:
    tally = Tally()
    for size in (5, 5, 6):
        tally.add("h", {key("tank/a"): size})

    assert tally.elsewhere("k") == Taken(1, 6)


def test_a_pass_that_takes_nothing_leaves_no_trace() -> None:
    tally = Tally()
    tally.add("h", {})

    assert tally.by_host == {}


def test_another_revision_may_take_as_much_again() -> None:
    tally = Tally()
    tally.add("h", {key("tank/a"): 5})
    tally.begin()

    assert tally.elsewhere("k") == Taken()
