"""SPDX 2.3: the model and its data sets as packages with digests; findings as annotations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fivefold.report.export import facts

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

_EPOCH = "1970-01-01T00:00:00Z"


def write(document: Document, manifest: Manifest | None) -> bytes:
    """Return the SPDX document."""
    when = facts.started(document) or _EPOCH
    data = list(facts.data_sets(document, manifest))
    return facts.pretty(
        {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": f"{document.verdict.application}-{document.verdict.attempt}",
            "documentNamespace": f"https://fivefold.dev/spdx/{facts.identity(document, 'spdx')}",
            "comment": facts.NO_CLAIM,
            "creationInfo": {"created": when, "creators": [f"Tool: {facts.TOOL}"]},
            "packages": [_model(document, manifest, when), *(_data(item) for item in data)],
            "relationships": [
                _related("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-model"),
                *(_related(_ref(item), "DATA_FILE_OF", "SPDXRef-model") for item in data),
            ],
        }
    )


def _model(document: Document, manifest: Manifest | None, when: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "SPDXID": "SPDXRef-model",
        "name": document.verdict.application,
        "versionInfo": facts.version(manifest),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "summary": document.verdict.summary,
        "annotations": [
            {
                "annotationType": "REVIEW",
                "annotator": f"Tool: {facts.TOOL}",
                "annotationDate": when,
                "comment": f"{finding.check} {finding.result.outcome}: {finding.result.reason}",
            }
            for finding in document.findings
        ],
    }
    if document.plan.model:
        made["comment"] = f"SHA-256 of the signed set (sorted names and digests): {document.plan.model}"
    return made


def _data(item: facts.DataSetFacts) -> dict[str, Any]:
    label = "; ".join(f"{name}: {value}" for name, value in sorted(item.label.items()))
    return {
        "SPDXID": _ref(item),
        "name": item.name,
        "packageFileName": item.path,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": item.digest}],
        "comment": f"{item.rows} rows, {len(item.columns)} columns" + (f"; {label}" if label else ""),
    }


def _ref(item: facts.DataSetFacts) -> str:
    return "SPDXRef-data-" + re.sub(r"[^A-Za-z0-9.-]", "-", item.name)


def _related(one: str, how: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}
