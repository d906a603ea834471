"""Exports: evidence in the forms of other tools; each is validated by that tool's own schema or reader in a test.

An export repeats figures; it carries no signature of ours. What proves them is the evidence folder that it names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document


def _form(module: str) -> Callable[[Document, Manifest | None], bytes]:
    def write(document: Document, manifest: Manifest | None) -> bytes:
        made: bytes = importlib.import_module(f"{__name__}.{module}").write(document, manifest)
        return made

    return write


EXPORTS = {name: _form(name.replace("-", "_")) for name in ("cyclonedx", "spdx", "hf-card", "croissant")}
"""Name as ``report --export`` takes it, to the function that writes it."""
