"""Our own refusals inside pydantic validation, with their remedy kept."""

from collections.abc import Callable
from typing import TypeVar

from pydantic_core import PydanticCustomError

from reconciler.model.errors import InvalidValue

REFUSED = "refused"
"""The pydantic error type of a refusal of ours; its context holds `cause` and `remedy`."""

Given = TypeVar("Given")
Made = TypeVar("Made")


def raising_custom(parse: Callable[[Given], Made]) -> Callable[[Given], Made]:
    """`parse` for use as a pydantic validator: InvalidValue comes out as a pydantic error that carries the remedy."""

    def validate(value: Given) -> Made:
        try:
            return parse(value)
        except InvalidValue as refusal:
            raise PydanticCustomError("refused", "{cause}", {"cause": refusal.cause, "remedy": refusal.remedy}) from refusal

    return validate
