"""Command ``model convert``: why a pickle is refused, what it would import, and how to export the model instead."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from fivefold.cli._io import EXIT_REFUSED, Json, out

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXPORTS = {
    "sklearn": "skl2onnx.to_onnx(model, X[:1]) writes ONNX",
    "xgboost": "model.save_model('model.json') writes JSON that the factory can load",
    "lightgbm": "booster.save_model('model.txt') writes text that the factory can load",
    "catboost": "model.save_model('model.onnx', format='onnx') writes ONNX",
    "torch": "torch.onnx.export(...) writes ONNX; safetensors.torch.save_file the weights",
    "keras": "model.export('model.onnx', format='onnx') writes ONNX",
    "numpy": "numpy.savez('weights.npz', ...) writes arrays without objects",
}
_ANY = "write its parameters as JSON, npz without objects or safetensors, and load them in the factory"


def convert(
    file: Annotated[Path, typer.Argument(help="The file that was refused.")],
    json: Json = False,
) -> None:
    """Say why a model file is refused and how to export the model; nothing is loaded, nothing is written.

    Where it was trained, the model is exported once; a pickle can only be read by running it.

    Example: [bold]fivefold model convert old.pkl[/bold]
    """
    from rich.text import Text

    from fivefold.errors import InputError, TrustError
    from fivefold.subject.hostile.scan import names, scan

    if not file.is_file():
        raise InputError("model.missing", f"there is no file {file}.", remedy="Name the model's file.")
    code, why, found = "", "", names(file)
    try:
        scan([(file.name, file)])
    except TrustError as error:
        code, why = error.code, error.message
    exports = _exports(found) if code == "model.pickle" else []
    value = {"file": str(file), "code": code, "why": why, "imports": found, "export": exports}
    lines = [f"{file}: {why} ({code})" if code else f"{file}: nothing in it is refused; sign it as it is."]
    if found:
        lines.append("It would import: " + ", ".join(found[:20]) + (" ..." if len(found) > 20 else ""))
    if exports:
        lines.append("A pickle runs code while it is read, so it is not read, here or in an assessment.")
        lines.append("Where the model was trained:")
        lines += [f"  {line}" for line in exports]
    out(json=json, value=value, view=Text("\n".join(lines)))
    if code:
        raise typer.Exit(EXIT_REFUSED)


def _exports(found: Sequence[str]) -> list[str]:
    """Return how the libraries that a pickle names export their models."""
    tops = {name.partition(".")[0] for name in found}
    known = [text for top, text in _EXPORTS.items() if top in tops]
    return [*known[:3], _ANY]
