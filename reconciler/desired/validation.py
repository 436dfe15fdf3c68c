"""A mapping against a pydantic model: the model's value, or problems in an operator's words."""

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconciler.desired.problem import Problem, refusal
from reconciler.desired.words import not_one_of, shown
from reconciler.desired.yaml_documents import YamlMapping
from reconciler.desired.yaml_places import Path
from reconciler.model.closest import closest
from reconciler.provider.kind import model_in
from reconciler.provider.pydantic_errors import REFUSED

Model = TypeVar("Model", bound=BaseModel)

Home: TypeAlias = Callable[[str], str | None]

_SECRET = ("secrets are not available yet", "the form {secret: ...} is reserved; write the value, or leave the line out")

_EXPECTED = MappingProxyType(
    {
        "string_type": "text",
        "int_type": "a number",
        "float_type": "a number",
        "bool_type": "true or false",
        "list_type": "a list",
        "tuple_type": "a list",
        "dict_type": "a mapping",
        "mapping_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
    }
)
"""What pydantic's error types ask for."""

_LIMITS = MappingProxyType(
    {
        "greater_than": "must be more than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than": "must be less than {lt}",
        "less_than_equal": "must be at most {le}",
        "too_short": "needs {min_length} or more entries",
        "too_long": "can have {max_length} entries",
        "string_too_short": "must have at least {min_length} characters",
        "string_too_long": "must have at most {max_length} characters",
    }
)


def validated(model: type[Model], value: YamlMapping, home: Home | None = None) -> Model | list[Problem]:
    """The model's value, or everything that is wrong; `home` says under which key a field that is unknown here belongs."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        return list(_problems(model, value, error, home))


def _problems(model: type[BaseModel], value: YamlMapping, error: ValidationError, home: Home | None) -> Iterator[Problem]:
    details = error.errors(include_url=False)
    located = sorted(((_path(value, detail), detail) for detail in details), key=lambda one: tuple(map(str, one[0])))
    for path, group in groupby(located, key=lambda one: one[0]):
        rest = []
        for _, detail in group:
            if detail["type"] == "missing":
                name = detail["loc"][-1]
                yield Problem(path, f"{name} is missing", f"add {name}: ...")
            else:
                rest.append(detail)
        if rest:
            yield _problem(model, path, rest, home)


def _path(value: object, detail: ErrorDetails) -> Path:
    """The part of an error's location that lies in the value; the rest names members of unions."""
    found: list[str | int] = []
    for part in detail["loc"]:
        is_key = isinstance(value, dict) and part in value
        is_index = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if not (is_key or is_index):
            break
        value = value[part]  # type: ignore[index]  # one of the two it is, which mypy does not follow
        found.append(part)
    return tuple(found)


def _problem(model: type[BaseModel], path: Path, details: list[ErrorDetails], home: Home | None) -> Problem:
    """One problem of all errors at one place: several are the members of a union, each refusing for itself."""
    detail = next((detail for detail in details if detail["type"] in (REFUSED, "literal_error", "enum")), details[0])
    given = detail["input"]
    if detail["type"] == "extra_forbidden":
        return _unknown(model, path, home)
    if given is None:
        return Problem(path, "null is not allowed here", "give a value, or remove the line")
    if isinstance(given, dict) and given.keys() == {"secret"}:
        return Problem(path, *_SECRET)
    if detail["type"] == REFUSED:
        cause, remedy = detail["ctx"]["cause"], detail["ctx"]["remedy"]
        if isinstance(given, list | dict | bool) and repr(given) in cause:
            cause = f"{shown(given)} can't stand here"
        return Problem(path, cause, remedy, of_key=detail["loc"][-1] == "[key]")
    if detail["type"] in ("literal_error", "enum"):
        return refusal(path, not_one_of(given, re.findall(r"'([^']*)'", detail["ctx"]["expected"])))
    if limit := _LIMITS.get(detail["type"]):
        return Problem(path, f"{limit.format(**detail['ctx'])}, got {shown(given)}", "change the value, or remove the line")
    return _wrong_type(path, given, details)


def _unknown(model: type[BaseModel], path: Path, home: Home | None) -> Problem:
    name = str(path[-1])
    known = _fields(model, path[:-1])
    if meant := closest(name, known):
        remedy = f"did you mean {meant}?"
    elif home is not None and (section := home(name)):
        remedy = f"{name} belongs under {section}"
    else:
        remedy = f"known fields: {', '.join(sorted(known))}" if known else "remove it"
    return Problem(path, f"there is no field {name} here", remedy, of_key=True)


def _wrong_type(path: Path, given: object, details: list[ErrorDetails]) -> Problem:
    expected = list(dict.fromkeys(_EXPECTED[detail["type"]] for detail in details if detail["type"] in _EXPECTED))
    if not expected:
        return Problem(path, details[0]["msg"].lower(), f"it is {shown(given)}")
    remedy = f"write {' or '.join(expected)}"
    if "text" in expected and isinstance(given, bool | int | float):
        remedy = "quote it"
    elif "a number" in expected and isinstance(given, str):
        remedy = "write the number without quotes and without a unit"
    elif expected == ["a list"]:
        remedy = "write [item, item], or one '- item' per line"
    elif expected == ["a mapping"]:
        remedy = "write key: value lines below it"
    elif "true or false" in expected:
        remedy = "write true or false"
    return Problem(path, f"expected {' or '.join(expected)}, got {shown(given)}", remedy)


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    """The names of the fields of the model that lies at a path below another."""
    for part in path:
        field = next((field for name, field in model.model_fields.items() if part in (name, field.alias)), None)
        if field is None:
            continue
        inner = model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]
