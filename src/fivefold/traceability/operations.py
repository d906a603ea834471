"""Operations: who read which data, or the model, for what, and with what result, as records of the application.

Each is recorded when it begins and when it ends, so that one that was cut off shows too.
"""

from __future__ import annotations

import contextlib
import getpass
import os
from typing import TYPE_CHECKING, Any

from fivefold.errors import FivefoldError
from fivefold.traceability.recorder.nouns import new_id
from fivefold.traceability.recorder.opening import home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.manifest.nouns import Manifest

MODEL = "model"
DONE = "done"


class Operation:
    """An operation under way.

    Attributes:
        digests: Data-set name, or ``model``, to the digest of what was read; filled in by whoever reads.
        results: Data-set name, or ``model``, to what came of it; ``done`` where nothing is said.
    """

    def __init__(self) -> None:
        """Begin one."""
        self.digests: dict[str, str] = {}
        self.results: dict[str, str] = {}


@contextlib.contextmanager
def recorded(manifest: Manifest, what: str, *, data: bool = True, model: bool = True) -> Iterator[Operation]:
    """Record an operation on an application's data and model; an error inside is its result, and goes on.

    Threat: data are read, copied or relabelled, and nobody can say by whom and for what.
    Limit: a program that reads the files by itself is not seen.

    Args:
        manifest: The application.
        what: For example ``assess`` or ``data label``.
        data: Whether every declared data set is read.
        model: Whether the model's files are.

    Raises:
        InputError: ``recorder.place``.
        StorageError: The record cannot be written: the operation is not begun, or its end is not recorded.
    """
    made = Operation()
    objects = [*(manifest.data if data else ()), *([MODEL] if model and manifest.model else ())]
    case = f"{what} {new_id().hex()}"
    _write(manifest, case, [_said(manifest, what, name, {"result": "begun"}) for name in objects])
    ended = DONE
    try:
        yield made
    except BaseException as error:
        ended = error.code if isinstance(error, FivefoldError) else type(error).__name__
        raise
    finally:
        results = made.results if ended == DONE else {}
        said = [
            _said(manifest, what, name, {"digest": made.digests.get(name, ""), "result": results.get(name, ended)})
            for name in objects
        ]
        _write(manifest, case, said)


def _said(manifest: Manifest, what: str, name: str, more: dict[str, str]) -> dict[str, Any]:
    fields = {"operation": what, "object": name if name == MODEL else f"data.{name}", "who": who()}
    fields["purpose"] = ", ".join(manifest.purposes) or manifest.application.purpose
    if name != MODEL:
        label = manifest.data[name].label
        fields |= {"path": manifest.data[name].path, "class": str(label.get("class", ""))}
        fields["labelled for"] = ", ".join(map(str, label.get("purpose", ()) or ()))
    return fields | more


def _write(manifest: Manifest, case: str, every: list[dict[str, Any]]) -> None:
    with home(manifest).writing() as recorder, recorder.open(case) as records:
        for fields in every:
            records.add("data-operation", fields)


def who() -> str:
    """Return the name of the user of this machine, or the user's number where there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
