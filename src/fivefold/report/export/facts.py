"""What every export says: names, digests, figures and limits, gathered once from a document and its manifest."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold import __version__
from fivefold.contract.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.contract.finding import Finding, Measure
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

TOOL = f"fivefold-{__version__}"
_SPACE = uuid.UUID("7c0a7d1e-5f4f-4a5e-9d0c-0f1e6a1b5f05")
"""Name space of the ids that exports carry: the same evidence always gets the same id."""

NO_CLAIM = (
    "Figures are copied from signed evidence; this file itself is not signed. It proves nothing without the evidence "
    "folder, and what self-signed evidence does not prove stands in it."
)


class DataSetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One data set: name, file, digest, rows, columns (name to kind) and label as declared."""

    name: str
    path: str
    digest: str
    rows: int
    columns: dict[str, str]
    target: str
    source: str
    label: dict[str, Any]
    kind: str


def identity(document: Document, what: str) -> uuid.UUID:
    """Return the id of something in this evidence: the same evidence always gives the same."""
    return uuid.uuid5(_SPACE, f"{document.plan.digest}/{document.verdict.attempt}/{what}")


def started(document: Document) -> str:
    """Return the UTC time at which the attempt was begun; empty if it is not known."""
    return next((line.started for line in document.attempts if line.number == document.verdict.attempt), "")


def version(manifest: Manifest | None) -> str:
    """Return the model's declared version; ``1`` if there is none."""
    return str(manifest.model.version) if manifest and manifest.model else "1"


def task(document: Document) -> str:
    """Return the task in the words of model cards."""
    words = {"regression": "tabular-regression", "binary": "tabular-classification"}
    model = document.plan.facts.model if document.plan.facts else None
    if model is None or model.task is None:
        return "other"
    if model.inputs != "table":
        return {"image": "image-classification", "text": "text-classification", "audio": "audio-classification"}.get(
            model.inputs, "other"
        )
    return words.get(model.task, "tabular-classification")


def data_sets(document: Document, manifest: Manifest | None) -> Iterator[DataSetFacts]:
    """Return the data sets in name order."""
    facts = (document.plan.facts.data if document.plan.facts else None) or {}
    for name, digest in sorted(document.plan.data.items()):
        declared = manifest.data.get(name) if manifest else None
        fact = facts.get(name)
        yield DataSetFacts(
            name=name,
            path=declared.path if declared else name,
            digest=digest,
            rows=fact.rows if fact else 0,
            columns={column.name: column.kind for column in fact.columns} if fact else {},
            target=fact.target if fact else "",
            source=declared.source if declared else "",
            label=dict(declared.label) if declared else {},
            kind=declared.kind if declared else "table",
        )


def figures(document: Document) -> Iterator[tuple[Finding, Measure]]:
    """Return every figure of the findings that measured something, judged ones first in each finding."""
    for finding in document.findings:
        if finding.result.outcome in (Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE):
            yield from ((finding, measure) for measure in finding.result.measures if measure.value is not None)


def limits(document: Document) -> list[str]:
    """Return what the measurements cannot show, each sentence once."""
    return list(dict.fromkeys(text for finding in document.findings for text in finding.result.limits))


def pretty(value: Any) -> bytes:
    """Return JSON that people can read, the same bytes for the same value."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
