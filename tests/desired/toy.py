"""A small made-up provider, so that tests of the engine don't depend on a real one."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from reconciler.model.errors import InvalidValue
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.contract import Provider
from reconciler.provider.field import Changing, Entries, FieldRule, Null
from reconciler.provider.kind import Kind, Size, Spec
from reconciler.provider.pydantic_errors import raising_custom
from reconciler.provider.registry import Registry


def _percent(value: Scalar) -> Value:
    text = str(value)
    if not text.endswith("%") or not text[:-1].isdigit():
        raise InvalidValue(f"{text!r} is not a percentage", remedy="write for example 20%")
    return int(text[:-1])


def _sticker_text(value: Scalar) -> Value:
    if value == "rude":
        raise InvalidValue("a sticker can't be rude", remedy="write something nice")
    return str(value).upper()


_STICKERS = {
    "front": FieldRule(null=Null.UNSET, canonical=_sticker_text, summary="what the front says"),
    "volume": FieldRule(is_size=True, canonical=lambda value: int(str(value).removesuffix("KiB")) * 1024),
    "fill": FieldRule(canonical=_percent, written=lambda value: f"{value}%", summary="how full it may get"),
}


def _sticker(name: str) -> FieldRule:
    if name in _STICKERS:
        return _STICKERS[name]
    if "." not in name:
        raise InvalidValue(f"there is no sticker {name!r}", remedy="write front, fill, volume or a name with a dot")
    return FieldRule(null=Null.UNSET)


class BoxSpec(Spec):
    """A box."""

    size: Annotated[Size, FieldRule(Changing.GROWS, is_size=True, summary="how much fits in")] = 0
    colour: Annotated[Literal["red", "green"], FieldRule()] = "red"
    glued: Annotated[bool, FieldRule(Changing.AT_CREATION)] = False
    rope: Annotated[str, FieldRule(refers_to=("Rope",), target=lambda text: text.partition("@")[0])] = ""
    weight: Annotated[int | None, Field(ge=0), FieldRule(null=Null.NONE)] = None
    notes: Annotated[list[str], FieldRule()] = Field(default_factory=list)
    stickers: Annotated[dict[str, bool | int | str | None], Entries(_sticker, tuple(_STICKERS))] = Field(default_factory=dict)


class RopeSpec(Spec):
    """A rope."""

    metres: Annotated[int, BeforeValidator(raising_custom(lambda value: value)), FieldRule()]


def _check_box(fields: Fields) -> None:
    if fields.get("colour") == "green" and "rope" in fields:
        raise InvalidValue("a green box has no rope", remedy="remove rope", field="rope")


def _check_box_name(name: str) -> None:
    if "@" in name:
        raise InvalidValue(f"{name!r} holds @", remedy="remove it")


BOX = Kind("Box", BoxSpec, "a box", contained_in=("Box",), check_name=_check_box_name, check_spec=_check_box)
ROPE = Kind("Rope", RopeSpec, "a rope")
TOY = Registry.of([Provider("toy", "boxes and ropes", (BOX, ROPE), lambda _system: ())])


def box(name: str, spec: str = "", metadata: str = "", lifecycle: str = "") -> str:
    """A Box manifest; the arguments are lines below their keys, in flow style."""
    text = f"apiVersion: reconciler/v1\nkind: Box\nmetadata: {{name: {name}{', ' if metadata else ''}{metadata}}}\n"
    if lifecycle:
        text += f"lifecycle: {{{lifecycle}}}\n"
    return text + (f"spec: {{{spec}}}\n" if spec else "")


def rope(name: str, metres: int = 1) -> str:
    return f"apiVersion: reconciler/v1\nkind: Rope\nmetadata: {{name: {name}}}\nspec: {{metres: {metres}}}\n"
