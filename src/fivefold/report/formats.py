"""Formats: one registry of everything that a document can be written as; `assess` and `report` read it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document


@dataclass(frozen=True)
class Format:
    """One form of a report.

    Attributes:
        name: As ``--format`` takes it.
        ending: Of the file that is written by default.
        module: Below ``fivefold.report``; its ``write(document, manifest, place)`` returns the bytes.
        help: One line.
    """

    name: str
    ending: str
    module: str
    help: str

    def write(self, document: Document, manifest: Manifest | None = None, place: str = "fivefold.yaml") -> bytes:
        """Return the document in this form.

        Args:
            document: As read from evidence.
            manifest: The manifest that was assessed; None: it cannot be read.
            place: The manifest's path as other tools shall see it.
        """
        made: bytes = importlib.import_module(f"fivefold.report.{self.module}").write(document, manifest, place)
        return made


FORMATS = {
    form.name: form
    for form in (
        Format("html", "html", "html", "one self-contained page"),
        Format("json", "json", "json_", "everything, by a published schema"),
        Format("terminal", "txt", "terminal", "text"),
        Format("md", "md", "markdown", "a summary in Markdown, for a pull request or a build's page"),
        Format("sarif", "sarif", "sarif", "SARIF 2.1.0, for code scanning"),
        Format("junit", "junit.xml", "junit", "JUnit XML, for a build server"),
    )
}
"""Name to format."""
