"""Croissant 1.0: the data sets with digests, columns and labels; no row of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fivefold.report.export import facts

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document

_CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip
_TYPES = {"number": "sc:Float", "integer": "sc:Integer", "boolean": "sc:Boolean", "date": "sc:Text"}
_FORMATS = {".csv": "text/csv", ".gz": "application/gzip", ".parquet": "application/x-parquet"}


def write(document: Document, manifest: Manifest | None) -> bytes:
    """Return the description of the data that were used."""
    data = list(facts.data_sets(document, manifest))
    purposes = sorted({str(one) for item in data for one in item.label.get("purpose") or ()})
    made: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": _name(document.verdict.application),
        "description": f"Data sets of the application {document.verdict.application}, as assessed. {facts.NO_CLAIM}",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "url": f"urn:uuid:{facts.identity(document, 'croissant')}",
        "version": f"{document.verdict.attempt}.0.0",
        "datePublished": (facts.started(document) or "1970-01-01")[:10],
        "license": "https://fivefold.dev/licence/not-declared",
        "citeAs": f"{document.verdict.application}, attempt {document.verdict.attempt}",
        "distribution": [_file(item) for item in data],
        "recordSet": [_records(item) for item in data if item.columns and item.kind in ("table", "text")],
    }
    if purposes:
        made["rai:dataUseCases"] = ", ".join(purposes)
    return facts.pretty(made)


def _file(item: facts.DataSetFacts) -> dict[str, Any]:
    ending = "." + item.path.rpartition(".")[2].lower()
    return {
        "@type": "cr:FileObject",
        "@id": f"file-{_name(item.name)}",
        "name": item.path,
        "contentUrl": item.path,
        "encodingFormat": _FORMATS.get(ending, "application/octet-stream"),
        "sha256": item.digest,
    }


def _records(item: facts.DataSetFacts) -> dict[str, Any]:
    name = _name(item.name)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{item.rows} rows.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{number}-{_name(column)}",
                "name": _name(column),
                "description": f"{column}" + (" (the target)" if column == item.target else ""),
                "dataType": _TYPES.get(kind, "sc:Text"),
                "source": {"fileObject": {"@id": f"file-{name}"}, "extract": {"column": column}},
            }
            for number, (column, kind) in enumerate(item.columns.items())
        ],
    }


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text) or "unnamed"
