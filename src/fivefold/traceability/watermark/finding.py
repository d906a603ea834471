"""Finding marks: what a check of T3 is handed of the application's own marks, or why there is nothing to measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import InputError, TrustError, UnsupportedError
from fivefold.evidence.signed_set import sha256
from fivefold.traceability.watermark import tensors

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.check import Context
    from fivefold.traceability.watermark.tensors import Stored

HOW = {
    "fingerprint": "Take the model's fingerprint before it leaves the house: fivefold model fingerprint.",
    "rows": "Mark the data before they leave the house: fivefold data mark.",
    "triggers": "Have the model learn keyed answers: fivefold model triggers.",
    "weights": "Mark the model before it leaves the house: fivefold model mark.",
}


def secret(context: Context, form: str) -> bytes:
    """Return the secret of the application's mark of a form.

    Raises:
        UnsupportedError: ``mark.none`` if the model has no such mark, ``mark.no-secret`` if another user has it.
    """
    if not context.mark.get(form):
        raise UnsupportedError("mark.none", f"the application has no mark of this form ({form}), so nobody could prove "
                               "whose a copy is.", remedy=HOW[form])  # fmt: skip
    opening = context.mark.get(f"{form}.opening", b"")
    if not opening:
        raise UnsupportedError(
            "mark.no-secret", "the secret of the mark is not among your keys, so it cannot be read.",
            remedy="Assess as the user who marked the model; the secret lies in the folder of keys.",
        )  # fmt: skip
    return opening


def released(context: Context) -> str:
    """Return when the model leaves the house, as declared; empty: not yet."""
    return str((context.settings.controls or {}).get("T3", {}).get("released", ""))


def weights(context: Context, files: dict[str, str] | None = None) -> Stored:
    """Return the weights that the application answers with: of a file that was committed to, else of the first.

    Raises:
        UnsupportedError: ``mark.no-file`` if no file of weights is loaded.
    """
    places = sorted(path for path in context.model_root.rglob("*") if path.is_file()) if context.model_root else []
    digests = {path: sha256(path) for path in places if _is_one(path)}
    wanted = set((files or {}).values())
    for path in sorted(digests, key=lambda one: (digests[one] not in wanted, str(one))):
        try:
            return tensors.read(path)
        except (InputError, TrustError):
            continue
    raise UnsupportedError("mark.no-file", "the model has no file of weights that could be read.",
                           remedy="Name it under model.path: .safetensors, .npz or .onnx.")  # fmt: skip


def _is_one(path: Path) -> bool:
    return path.suffix.lower() in (".safetensors", ".npz", ".onnx")
