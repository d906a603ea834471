"""``report --for`` and ``report --export``: evidence answered to a standard, or written for another tool."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest
    from fivefold.report.nouns import Document


def require_alone(standard: str, export: str, form: str) -> None:
    """Check that only one of the three ways to write a report is asked for, and that it exists.

    Raises:
        InputError: ``report.format``, ``standards.unknown`` or ``export.unknown``.
    """
    from fivefold.catalogue import standards
    from fivefold.report.export import EXPORTS

    if sum(map(bool, (standard, export, form))) > 1:
        raise InputError("report.format", "--for, --export and --format exclude each other.", remedy="Give one.")
    if standard:
        standards.load(standard)
    if export and export not in EXPORTS:
        raise InputError(
            "export.unknown", f'there is no form "{export}".', remedy=f"Choose: {', '.join(EXPORTS)}.", where="--export"
        )


def deliver(document: Document, manifest: Manifest | None, standard: str, export: str, out: str, *, json: bool) -> None:
    """Write the mapping or the export to ``out``, or to standard output."""
    if export:
        from fivefold.report.export import EXPORTS

        _write(EXPORTS[export](document, manifest), out)
        return
    from fivefold.catalogue import standards
    from fivefold.contract.codec import canonical
    from fivefold.report import mapping, mapping_text

    found = mapping.answer(standards.load(standard), document, manifest)
    if json or out.endswith(".json"):
        _write(canonical(found) + b"\n", out)
    elif out:
        _write(mapping_text.markdown(found).encode(), out)
    else:
        from fivefold.cli._io import console

        console().print(mapping_text.show(found))


def _write(data: bytes, out: str) -> None:
    from fivefold.cli.report_ import write

    if out in ("", "-"):
        sys.stdout.buffer.write(data)
    else:
        write(Path(out), data)
