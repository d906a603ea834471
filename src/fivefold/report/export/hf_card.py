"""Model card in the form of the Hugging Face Hub: YAML metadata with the figures, then the page for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from fivefold.report.export import facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

_LEVELS = ("data analysis", "description", "prediction", "assisted decision", "automated decision")


def write(document: Document, manifest: Manifest | None) -> bytes:
    """Return the card, README.md of a model repository."""
    head = yaml.safe_dump(_metadata(document, manifest), sort_keys=False, allow_unicode=True, width=1000)
    page = "\n".join(_page(document, manifest))
    return f"---\n{head}---\n\n{page}\n".encode()


def _metadata(document: Document, manifest: Manifest | None) -> dict[str, Any]:
    kind = facts.task(document)
    test = next((item for item in facts.data_sets(document, manifest) if item.name == "test"), None)
    metrics = [
        {"type": _slug(measure.name), "name": _name(finding.check, measure.name, measure.where), "value": measure.value}
        for finding, measure in facts.figures(document)
    ]
    made: dict[str, Any] = {"tags": ["fivefold", f"fivefold-level-{document.verdict.attained}"], "pipeline_tag": kind}
    if metrics:
        data = {"name": test.path if test else "test", "type": test.path if test else "test"}
        result = {"task": {"type": kind}, "dataset": data, "metrics": metrics}
        made["model-index"] = [{"name": document.verdict.application, "results": [result]}]
    return made


def _slug(name: str) -> str:
    return "_".join(name.lower().split())


def _name(check: str, name: str, where: str) -> str:
    return f"{check}: {name}" + (f" ({where})" if where else "")


def _page(document: Document, manifest: Manifest | None) -> Iterator[str]:
    verdict = document.verdict
    yield f"# {verdict.application}\n"
    if manifest and manifest.application.purpose:
        yield f"Purpose: {manifest.application.purpose}.\n"
    declared = f"{verdict.declared} ({_LEVELS[verdict.declared - 1]})"
    yield f"Level {verdict.attained} attained, level {declared} declared. {verdict.summary}\n"
    yield "## What was measured\n\n| check | outcome | in words |\n|---|---|---|"
    for finding in document.findings:
        yield f"| {finding.check} | {finding.result.outcome} | {_cell(finding.result.reason)} |"
    yield "\n## Data\n\n| set | rows | SHA-256 |\n|---|---|---|"
    for item in facts.data_sets(document, manifest):
        yield f"| {_cell(item.name)} | {item.rows} | `{item.digest}` |"
    found = facts.limits(document)
    if found:
        yield "\n## Limits\n"
        yield from (f"- {text}" for text in found)
    yield f"\n{facts.NO_CLAIM} {document.signer}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
