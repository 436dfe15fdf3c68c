"""`$(name)` in manifests that are for several hosts."""

import re
from collections.abc import Mapping

from reconciler.desired.problem import Problem
from reconciler.desired.yaml_documents import YamlMapping, YamlValue
from reconciler.desired.yaml_places import Path

_MARK = "$("
_USE = re.compile(r"\$?\$\(([^()]*)(\)?)")

_LEFT_ALONE = frozenset(
    {
        ("apiVersion",),
        ("kind",),
        ("metadata", "hosts"),
        ("spec", "metadata"),
        ("spec", "internalMetadata"),
        ("spec", "cloudInit"),
    }
)
"""Text for the guest means `$(...)` to the guest; the rest is needed before the host is known."""


def uses_variables(value: YamlValue) -> bool:
    """Whether there is anything to replace, at any depth."""
    if isinstance(value, str):
        return _MARK in value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(uses_variables(one) for one in inner)


def replaced(document: YamlMapping, host: str, variables: Mapping[str, str]) -> tuple[YamlMapping, list[Problem]]:
    """The document as it is meant for a host, and uses of names that the host does not have."""
    problems: list[Problem] = []
    made = {key: _replaced(value, (key,), host, variables, problems) for key, value in document.items()}
    return made, problems


def _replaced(value: YamlValue, path: Path, host: str, variables: Mapping[str, str], problems: list[Problem]) -> YamlValue:
    if path in _LEFT_ALONE:
        return value
    match value:
        case str():
            return _text(value, path, host, variables, problems) if _MARK in value else value
        case list():
            return [_replaced(item, (*path, index), host, variables, problems) for index, item in enumerate(value)]
        case dict():
            return {key: _replaced(item, (*path, key), host, variables, problems) for key, item in value.items()}
        case _:
            return value


def _text(text: str, path: Path, host: str, variables: Mapping[str, str], problems: list[Problem]) -> str:
    def value(use: re.Match[str]) -> str:
        if use[0].startswith("$$"):
            return use[0][1:]
        if not use[2]:
            problems.append(Problem(path, "$( is never closed", "close it with ), or write $$( for the text $("))
        elif use[1] not in variables:
            known = ", ".join(sorted(variables)) or "none"
            remedy = f"add it to spec.vars of the Host {host} (it has: {known}), or write $$( for the text $("
            problems.append(Problem(path, f"the host {host} has no variable {use[1]!r}", remedy))
        return variables.get(use[1], "")

    return _USE.sub(value, text)
