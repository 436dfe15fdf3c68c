"""What validation found, on stderr or as `reconciler.findings/v1`."""

from collections.abc import Iterable
from typing import Any

import click

from reconciler.model.desired import Finding


def print_warnings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        click.echo(str(finding), err=True)


def findings_document(findings: Iterable[Finding]) -> dict[str, Any]:
    """`reconciler.findings/v1`."""
    return {"format": "reconciler.findings/v1", "findings": [_finding(finding) for finding in findings]}


def _finding(finding: Finding) -> dict[str, Any]:
    document: dict[str, Any] = {
        "severity": finding.severity,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "cause": finding.cause,
        "remedy": finding.remedy,
    }
    if finding.key is not None:
        document["key"] = str(finding.key)
    return document
