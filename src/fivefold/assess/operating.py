"""Operating: what reads an application's data or model is recorded where the manifest turns the recorder on."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from fivefold.contract.registry import provided

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from fivefold.manifest.nouns import Manifest


def operation(manifest: Manifest, what: str, *, data: bool = True, model: bool = True) -> AbstractContextManager[Any]:
    """Return the block inside which an operation is done; see :mod:`fivefold.traceability.operations`.

    What it gives has ``digests`` and ``results`` to fill in, by name of the data set, or ``model``.
    """
    if "T4" not in manifest.controls:
        return nullcontext(SimpleNamespace(digests={}, results={}))
    made: AbstractContextManager[Any] = provided("data.operations")(manifest, what, data=data, model=model)
    return made
