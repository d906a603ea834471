"""JSON: a document as canonical JSON, and the published schemas of what we write for programs.

The schemas under ``schema/`` are made from the nouns themselves; a test fails when a noun changes and its file does
not. A later version of a noun gets a file of its own, and the old one stays.
"""

from __future__ import annotations

import inspect
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.contract.codec import canonical
from fivefold.contract.finding import FINDING_VERSION, Finding
from fivefold.contract.plan import PLAN_VERSION, Plan
from fivefold.contract.verdict import VERDICT_VERSION, Verdict
from fivefold.report.nouns import REPORT_VERSION, Document

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

PUBLISHED: dict[str, type[msgspec.Struct]] = {
    f"report-{REPORT_VERSION}": Document,
    f"verdict-{VERDICT_VERSION}": Verdict,
    f"finding-{FINDING_VERSION}": Finding,
    f"plan-{PLAN_VERSION}": Plan,
}
"""Name of a schema to the noun that it describes."""

_BASE = "https://fivefold.dev/schema/"


def write(value: Document, manifest: Manifest | None = None, place: str = "fivefold.yaml") -> bytes:  # noqa: ARG001
    """Return the document; see :meth:`fivefold.report.formats.Format.write`."""
    return document(value)


def document(value: Document) -> bytes:
    """Return a document as canonical JSON with a line end; described by ``schema/report-1.json``.

    Raises:
        InputError: ``codec.not-finite`` if a figure is NaN or infinite.
    """
    return canonical(value) + b"\n"


def schema(name: str) -> dict[str, Any]:
    """Return a published schema, as it ships.

    Raises:
        KeyError: There is no schema of that name.
    """
    if name not in PUBLISHED:
        raise KeyError(name)
    text = files("fivefold.report").joinpath("schema", f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _cleaned(made: Any) -> Any:
    """Return a schema with descriptions free of the indentation that they have in the code."""
    if isinstance(made, list):
        return [_cleaned(item) for item in made]
    if not isinstance(made, dict):
        return made
    found = {key: _cleaned(value) for key, value in made.items()}
    text = found.get("description")
    return found | {"description": inspect.cleandoc(text)} if isinstance(text, str) else found


def make_schema(name: str) -> bytes:
    """Return the JSON Schema (draft 2020-12) of a noun as it is in this version."""
    made = _cleaned(msgspec.json.schema(PUBLISHED[name]))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{_BASE}{name}.json"}
    return json.dumps(head | made, indent=1, sort_keys=True).encode() + b"\n"
