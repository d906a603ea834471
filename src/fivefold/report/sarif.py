"""SARIF 2.1.0: one rule per check that ran, one result per finding that is not a pass.

Levels: failed and broken checks are errors, inconclusive ones warnings, those not run notes. A pass gives no result, so
that a code-scanning page closes its alert. Fingerprints depend on application and check alone, so that an alert keeps
its history over runs, versions and moved lines. GitHub's limits (25,000 results, 20 tags a rule, 10 MB) are never near.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fivefold import __version__
from fivefold.contract import registry
from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from fivefold.contract.finding import Finding
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

_LEVELS = {
    Outcome.FAIL: "error",
    Outcome.ERROR: "error",
    Outcome.INCONCLUSIVE: "warning",
    Outcome.NOT_RUN: "note",
}
_MOST_TEXT = 1000
_PLACES = {"T2": "model.signature", "F1": "data.test.protected"}
"""Technique to the field of the manifest that a reader should look at, where there is no line of its own checks."""


def write(document: Document, manifest: Manifest | None = None, place: str = "fivefold.yaml") -> bytes:
    """Return the log; see :meth:`fivefold.report.formats.Format.write`."""
    ran = sorted(finding.check for finding in document.findings)
    results = [
        _result(finding, ran, document, manifest, place)
        for finding in document.findings
        if finding.result.outcome in _LEVELS
    ]
    run = {
        "tool": {
            "driver": {
                "name": "Fivefold",
                "version": __version__,
                "semanticVersion": __version__,
                "informationUri": "https://fivefold.dev",
                "rules": [_rule(check) for check in ran],
            }
        },
        "automationDetails": {"id": f"fivefold/{document.verdict.application}/"},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "properties": {
            "attained": document.verdict.attained,
            "declared": document.verdict.declared,
            "counts": document.verdict.counts,
            "attempt": document.verdict.attempt,
            "verified": document.verified,
        },
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=False).encode() + b"\n"


def _rule(check: str) -> dict[str, Any]:
    spec = registry.checks().get(check)
    if spec is None:
        return {"id": check, "name": check, "shortDescription": {"text": check}}
    page = f"https://fivefold.dev/techniques/{check.replace('.', '-')}"
    parts = [("Question", spec.question), ("Threat", spec.threat), ("Limits", spec.limits), ("Source", spec.source)]
    return {
        "id": check,
        "name": check.replace(".", "").replace("-", ""),
        "shortDescription": {"text": spec.question[:_MOST_TEXT]},
        "fullDescription": {"text": spec.threat[:_MOST_TEXT]},
        "helpUri": page,
        "help": {
            "text": "\n".join(f"{title}: {text}" for title, text in parts),
            "markdown": "\n\n".join(f"**{title}.** {text}" for title, text in parts),
        },
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["fivefold", spec.technique], "precision": "high"},
    }


def _result(
    finding: Finding, ran: list[str], document: Document, manifest: Manifest | None, place: str
) -> dict[str, Any]:
    said = finding.result
    text = f"{said.outcome}: {said.reason}" + (f" What to do: {said.remedy}" if said.remedy else "")
    mark = hashlib.sha256(f"{document.verdict.application}\n{finding.check}\n".encode()).hexdigest()
    return {
        "ruleId": finding.check,
        "ruleIndex": ran.index(finding.check),
        "level": _LEVELS[said.outcome],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(place)},
                    "region": {"startLine": _line(finding, manifest)},
                }
            }
        ],
        "partialFingerprints": {"fivefoldCheck/v1": mark},
        "properties": {"outcome": str(said.outcome), "attempt": finding.attempt},
    }


def _line(finding: Finding, manifest: Manifest | None) -> int:
    """Return the line of the manifest that is about this check; 1 if none is."""
    lines = manifest.lines if manifest else {}
    fields = (f"checks.{finding.check}", f"checks.{finding.technique}", _PLACES.get(finding.technique, ""), "model")
    return next((lines[field] for field in fields if field in lines), 1)
