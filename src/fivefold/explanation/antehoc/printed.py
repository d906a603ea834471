"""Printed: the page that an application declares, read from the signed copy of its files."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from fivefold.errors import UnsupportedError
from fivefold.explanation.antehoc import page

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.contract.subject import SettingsView
    from fivefold.explanation.antehoc.form import Model


def declared(settings: SettingsView) -> str:
    """Return the name of the page; empty: none is declared."""
    return str((settings.controls or {}).get("E1", {}).get("page", "") or "")


def require(settings: SettingsView) -> str:
    """Return the name of the page.

    Raises:
        UnsupportedError: ``antehoc.undeclared``.
    """
    name = declared(settings)
    if not name:
        raise UnsupportedError(
            "antehoc.undeclared", "the model is not said to be readable: controls.E1.page names no page.",
            remedy="Train with `fivefold model train --explainable`, and declare its page under controls.E1.page.",
        )  # fmt: skip
    return name


def read(context: Context) -> Model:
    """Return the model that the declared page shows.

    Raises:
        UnsupportedError: ``antehoc.undeclared``, ``antehoc.unsigned`` if it is not among the model's files.
        InputError: ``antehoc.page`` if it cannot be read.
    """
    name = require(context.settings)
    inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
    place = context.model_root / name if context.model_root is not None and inside else None
    if place is None or not place.is_file():
        raise UnsupportedError(
            "antehoc.unsigned", f"{name[:80]} is not among the model's files, so nothing ties it to the model.",
            remedy="List it under model.files, and sign the model again.",
        )  # fmt: skip
    if place.stat().st_size > page.MOST_BYTES:
        return page.read(" " * (page.MOST_BYTES + 1))
    return page.read(place.read_bytes().decode("utf-8", "replace"))
