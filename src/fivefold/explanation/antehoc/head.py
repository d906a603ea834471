"""Head: explainability built into a network of the application: a copy of it for each column, added up by a head.

The application's function makes a module for a number of inputs; each column gets one, a linear layer turns what it
gives into what the column adds, and all are trained together. The columns are cut into steps first, so what was learned
is read off step by step and printed like any additive model. Source: Agarwal et al. 2021 (neural additive models).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.explanation.antehoc import additive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.explanation.antehoc.form import Model, Term
    from fivefold.explanation.antehoc.steps import Lesson
    from fivefold.manifest.nouns import Manifest

WAY = "antehoc.net"
_SECONDS, _MEMORY_MB = 900, 4096
_SPREAD = float(np.sqrt(12.0))
"""Ranks between 0 and 1, less one half, times this have a standard deviation of 1."""


class Taught(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the process is told.

    Attributes:
        codes: (n, d) int16, steps of the cells, the missing one last.
        shape: n, d.
        inputs: For each column (steps, w) float32, what its network is given for each step.
        widths: For each column w.
        answers: (n,) int64 classes, or float64 values of mean 0 and standard deviation 1.
        outputs: K; 1 for two classes and values.
        values: A quantity is learned.
        seed: Of everything drawn.
    """

    codes: bytes
    shape: tuple[int, int]
    inputs: tuple[bytes, ...]
    widths: tuple[int, ...]
    answers: bytes
    outputs: int
    values: bool
    seed: int


class Learned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What it says: (K,) base and for each column (steps + 1, K), float64."""

    base: bytes
    shapes: tuple[bytes, ...]


def learn(manifest: Manifest, given: Lesson, sizes: tuple[int, int], rng: np.random.Generator) -> Model:
    """Learn an additive model from copies of the application's network (``controls.E1.network``).

    Columns are chosen as for :func:`fivefold.explanation.antehoc.additive.learn`; where a direction is declared, what
    was learned of a column is moved to the nearest steps that keep it (isotonic regression).

    Args:
        manifest: The application.
        given: Rows.
        sizes: Most columns, and most cuts of a column.
        rng: Seeds boosting and training.

    Raises:
        InputError: ``antehoc.network`` if none is declared; as :func:`fivefold.explanation.antehoc.additive.chosen`.
        SubjectError: The application's function fails, or its network cannot be trained so.
    """
    from fivefold.manifest.nouns import Model as Declared
    from fivefold.subject.bench import Bench
    from fivefold.subject.teaching import teach

    target = str(manifest.controls.get("E1", {}).get("network", ""))
    module, _, name = target.partition(":")
    if not (module and name):
        raise InputError("antehoc.network", "no network is declared.", where=str(manifest.file),
                         remedy='Write controls.E1.network: "module:function".')  # fmt: skip
    laid, codes, _, _ = additive.chosen(given, *sizes, rng)
    inputs = [_inputs(term, codes[:, at]) for at, term in enumerate(laid)]
    quantity = given.task == "regression"
    middle, spread = (float(given.target.mean()), float(given.target.std()) or 1.0) if quantity else (0.0, 1.0)
    answers = (given.target - middle) / spread if quantity else given.target.astype(np.int64)
    body = Taught(
        codes=codes.astype(np.int16).tobytes(), shape=(len(codes), len(laid)),
        inputs=tuple(one.tobytes() for one in inputs),
        widths=tuple(one.shape[1] for one in inputs), answers=answers.tobytes(), values=quantity,
        outputs=len(given.classes) if given.task == "multiclass" else 1, seed=int(rng.integers(1 << 31)),
    )  # fmt: skip
    files = manifest.model.files if manifest.model else ()
    app = msgspec.structs.replace(manifest, model=Declared(factory=target, files=files), training="")
    remedies = ("Train on fewer rows.", "Make the network smaller, or train on fewer rows.")
    task = (target, WAY, msgspec.msgpack.encode(body))
    with Bench(app, {}) as bench:
        found = teach(bench, task, Learned, seconds=_SECONDS, memory_mb=_MEMORY_MB, remedies=remedies)
    base = np.frombuffer(found.base).copy() * spread + middle
    shapes = [np.frombuffer(one).reshape(-1, body.outputs) * spread for one in found.shapes]
    return additive.written(given, laid, codes, base, _directed(given, laid, codes, shapes))


def _inputs(term: Term, codes: np.ndarray) -> np.ndarray:
    """Return (steps, w) float32: mean rank of each step of a number, scaled; one of w for a text."""
    size = len(term.adds)
    if term.kind == "text":
        return np.eye(size, dtype=np.float32)
    count = np.bincount(codes, minlength=size + 1)[:size]
    ranks = (np.cumsum(count) - count / 2) / max(count.sum(), 1)
    return np.asarray((ranks - 0.5) * _SPREAD, dtype=np.float32)[:, None]


def _directed(given: Lesson, laid: Sequence[Term], codes: np.ndarray, shapes: Sequence[np.ndarray]) -> list[np.ndarray]:
    from sklearn.isotonic import isotonic_regression

    made = []
    for at, (term, shape) in enumerate(zip(laid, shapes, strict=True)):
        sign = given.monotone.get(term.column, 0)
        kept = shape.copy()
        if sign:
            count = np.bincount(codes[:, at], minlength=len(shape))[:-1]
            kept[:-1, 0] = isotonic_regression(shape[:-1, 0], sample_weight=count + 1e-9, increasing=sign > 0)
        made.append(kept)
    return made
