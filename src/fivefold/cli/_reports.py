"""``assess --format``: reports of the attempt that was just sealed, read back from the evidence as anybody would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.cli._io import console
from fivefold.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest
    from fivefold.report.formats import Format


def chosen(names: str, folder: Path) -> tuple[Format, ...]:
    """Return the formats that a list such as ``sarif,junit`` names.

    Raises:
        InputError: ``report.format`` for an unknown one; ``report.unwritable`` if the folder is not there.
    """
    from fivefold.report.formats import FORMATS

    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise InputError(
            "report.format", f"there is no format {unknown[0]!r}.", remedy=f"Choose from: {', '.join(FORMATS)}."
        )
    if wanted and not folder.is_dir():
        raise InputError(
            "report.unwritable", "the folder for reports is not there.", remedy="Make it.", where=str(folder)
        )
    return tuple(FORMATS[name] for name in dict.fromkeys(wanted))


def deliver(forms: tuple[Format, ...], folder: Path, evidence: Path, manifest: Manifest, trust: Path | None) -> None:
    """Write each report into the folder as ``fivefold.ENDING``."""
    from fivefold.cli.report_ import place_of, write
    from fivefold.evidence.application import observe, read_folder
    from fivefold.keys import store
    from fivefold.report.read import read

    document = read(
        read_folder(evidence), store.read_trust(trust), store.utc_now(), application=observe(manifest.root, manifest)
    )
    for form in forms:
        target = folder / f"fivefold.{form.ending}"
        write(target, form.write(document, manifest, place_of(manifest)))
        console(error=True).print(f"{form.name}: {target}", markup=False, soft_wrap=True)
