"""Where a guest lies of which nobody says in which pool."""

from reconciler.model.errors import InvalidValue


def check_pool(pools: frozenset[str] | None) -> None:
    """InvalidValue where nothing says in which pool a guest is to lie, unless there is only one."""
    if pools is None or len(pools) != 1:
        there = ", ".join(sorted(pools or ())) or "unknown"
        cause = f"nothing says in which pool it is to lie (pools there: {there})"
        raise InvalidValue(cause, remedy="state spec.pool, or spec.defaultPool of the Host")
