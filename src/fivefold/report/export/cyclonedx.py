"""CycloneDX 1.7: a machine-learning bill of materials with model card and declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold import __version__
from fivefold.contract.outcome import Outcome
from fivefold.report.export import facts

if TYPE_CHECKING:
    from fivefold.contract.finding import Finding, Measure
    from fivefold.contract.verdict import ClaimVerdict
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document


def write(document: Document, manifest: Manifest | None) -> bytes:
    """Return the bill: the model with its card, its data sets, and our claims with their evidence."""
    model = _model(document, manifest)
    bom: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{facts.identity(document, 'cyclonedx')}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "fivefold", "version": __version__}]},
            "component": model,
        },
        "components": [_data(item) for item in facts.data_sets(document, manifest)],
        "declarations": _declarations(document, model["bom-ref"]),
    }
    if moment := facts.started(document):
        bom["metadata"]["timestamp"] = moment
    return facts.pretty(bom)


def _model(document: Document, manifest: Manifest | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": document.verdict.application,
        "version": facts.version(manifest),
        "modelCard": _card(document, manifest),
    }
    if manifest and manifest.application.purpose:
        made["description"] = manifest.application.purpose
    if document.plan.model:
        made["properties"] = [{"name": "fivefold:signed-set-sha256", "value": document.plan.model}]
    return made


def _card(document: Document, manifest: Manifest | None) -> dict[str, Any]:
    considerations: dict[str, Any] = {"technicalLimitations": facts.limits(document)}
    if manifest and manifest.application.purpose:
        considerations["useCases"] = [manifest.application.purpose]
    harmed = [_fairness(finding) for finding in document.findings if finding.technique == "F1"]
    if harmed:
        considerations["fairnessAssessments"] = harmed
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": facts.task(document),
            "datasets": [{"ref": _ref(item)} for item in facts.data_sets(document, manifest)],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [_metric(finding, measure) for finding, measure in facts.figures(document)]
        },
        "considerations": considerations,
    }


def _metric(finding: Finding, measure: Measure) -> dict[str, Any]:
    made: dict[str, Any] = {"type": f"{finding.check}: {measure.name}", "value": repr(measure.value)}
    if measure.where:
        made["slice"] = measure.where
    bounds = {"lowerBound": measure.low, "upperBound": measure.high}
    known = {name: repr(value) for name, value in bounds.items() if value is not None}
    if known:
        made["confidenceInterval"] = known
    return made


def _fairness(finding: Finding) -> dict[str, Any]:
    return {"groupAtRisk": "the groups that the manifest protects", "harms": finding.result.reason}


def _ref(item: facts.DataSetFacts) -> str:
    return f"data-{item.name}"


def _data(item: facts.DataSetFacts) -> dict[str, Any]:
    contents = [{"name": "rows", "value": str(item.rows)}, {"name": "columns", "value": str(len(item.columns))}]
    made: dict[str, Any] = {
        "type": "data",
        "bom-ref": _ref(item),
        "name": item.name,
        "hashes": [{"alg": "SHA-256", "content": item.digest}],
        "data": [{"type": "dataset", "name": item.path, "contents": {"properties": contents}}],
    }
    if item.label.get("class"):
        made["data"][0]["classification"] = str(item.label["class"])
    if item.label.get("personal"):
        made["data"][0]["sensitiveData"] = [str(name) for name in item.label["personal"]]
    if item.source:
        made["publisher"] = item.source
    return made


def _declarations(document: Document, model: str) -> dict[str, Any]:
    evidence = [
        {
            "bom-ref": f"finding-{finding.check}",
            "propertyName": f"fivefold:{finding.check}",
            "data": [{"name": str(finding.result.outcome), "contents": {"attachment": {"content": _said(finding)}}}],
        }
        for finding in document.findings
    ]
    claims = [_claim(claim, document, model) for claim in document.verdict.claims]
    return {
        "assessors": [{"bom-ref": "assessor", "thirdParty": False, "organization": {"name": document.signer[:200]}}],
        "attestations": [
            {
                "summary": document.verdict.summary,
                "assessor": "assessor",
                "map": [{"claims": [c["bom-ref"]]} for c in claims],
            }
        ],
        "claims": claims,
        "evidence": evidence,
        "affirmation": {"statement": facts.NO_CLAIM},
    }


def _said(finding: Finding) -> str:
    return f"{finding.result.outcome}: {finding.result.reason}"


def _claim(claim: ClaimVerdict, document: Document, model: str) -> dict[str, Any]:
    """Return one claim: findings that failed stand against it, those that passed speak for it."""
    named = set(claim.by) | {blocker.id for blocker in claim.blockers}
    planned = {check.check for check in document.plan.checks if claim.claim in check.claims}
    made: dict[str, Any] = {"bom-ref": f"claim-{claim.claim}", "target": model, "predicate": claim.text}
    made["reasoning"] = f"{claim.status}" + "".join(f"; {blocker.text}" for blocker in claim.blockers)
    for key, wanted in (("evidence", Outcome.PASS), ("counterEvidence", Outcome.FAIL)):
        made[key] = [
            f"finding-{finding.check}"
            for finding in document.findings
            if finding.check in planned | named and finding.result.outcome is wanted
        ]
    return made
