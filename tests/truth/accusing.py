"""Subjects of T3.accusation: marks of one model alone, and marks of what everybody starts from."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.codec import canonical
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table
from fivefold.errors import UnsupportedError
from fivefold.traceability.watermark import attacks, embedding
from fivefold.traceability.watermark.carriers import binomial_p, bits_of, signs_of

from . import printed, taught
from .entry import Entry
from .floors import floors
from .subjects import context, filler, table
from .weights_marked import network

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "T3.accusation"


@dataclass(frozen=True)
class Network:
    """A network by its weights alone; training anew gives the base, moved, or weights of its own.

    Attributes:
        weights: Of it.
        base: What training starts from; None: from nothing.
        retrains: Whether it can be trained anew.
    """

    weights: dict[str, np.ndarray]
    base: dict[str, np.ndarray] | None
    retrains: bool = True
    task = "binary"
    classes = ("no", "yes")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=False, retrains=self.retrains, perturbable=True)

    def tuned(self, asked: Table | None, epochs: int, rate: float) -> dict[str, np.ndarray]:
        return self.weights

    def retrain(self, asked: Table, seed: int) -> Subject:
        rng = np.random.default_rng(seed)
        if self.base is not None:
            return replace(self, weights=attacks.moved(self.base, 0.4, rng))
        return replace(self, weights={name: rng.permuted(one, axis=None).reshape(one.shape)
                                      for name, one in self.weights.items()})  # fmt: skip

    def predict(self, asked: Table) -> np.ndarray:
        return np.zeros(len(asked), np.int64)

    def predict_proba(self, asked: Table) -> np.ndarray:
        raise UnsupportedError("test.scores", "labels only.")


def build(seed: int, *, base: bool = False, retrains: bool = True) -> Context:
    """Return the context of a marked network; ``base``: the mark stands in what everybody's training starts from."""
    rng = np.random.default_rng([seed, 0])
    weights = network(rng)
    made = embedding.embed(weights, rng.bytes(32), change=0.25)
    copy = {**weights, **made.tensors}
    subject = Network(attacks.moved(copy, 0.2, rng) if base else copy, copy if base else None, retrains)
    folder = Path(tempfile.mkdtemp(prefix="fivefold-truth-"))
    for name in ("scratch", "model"):
        (folder / name).mkdir()
    np.savez(folder / "model" / "net.npz", **subject.weights)
    parts = {"weights": b"{}", "weights.opening": canonical(made.opening), "weights.proof": b""}
    rows = 60
    train = table("train", filler(rng, rows, 3), rng.integers(0, 2, rows))
    return context(
        CHECK, subject, {"train": train}, seed, thresholds=floors(CHECK), settings=SettingsView(classes=("no", "yes")),
        effort="quick", mark=parts, model_root=folder / "model", scratch=folder / "scratch",
    )  # fmt: skip


def chosen(seed: int) -> Context:
    """Return the context of a network of positive weights whose owner tried keys until one fitted all such networks."""
    rng = np.random.default_rng([seed, 0])
    weights = {name: (rng.random((150, 200)) + 3.0).astype(np.float32) for name in ("a", "b")}
    made = embedding.embed(weights, rng.bytes(32), change=0.25)
    carriers, count = made.carriers, made.opening.bits
    while True:
        key = rng.bytes(32)
        bound = embedding.bound_key(key, made.opening.places)
        right = int((signs_of(bound, count, carriers).sum(axis=1, dtype=np.int64) * bits_of(bound, count) > 0).sum())
        if binomial_p(right, count) < 2e-3:
            break
    given = build(seed)
    assert given.model_root is not None
    np.savez(given.model_root / "net.npz", **weights)
    opening = canonical(msgspec.structs.replace(made.opening, key=key))
    return replace(given, subject=None, mark={**given.mark, "weights.opening": opening})


def lying(seed: int) -> Context:
    """Return the context of a fingerprint of answers that everybody gives, whose panel is said to give few of them."""
    return printed.build(seed, "answers that everybody gives", check=CHECK)


ENTRY = Entry(
    check=CHECK,
    documented="a mark that stands in the base that all models start from, moved by 0.4; or a key tried on all of them",
    planted={"marked base": partial(build, base=True), "key tried on everybody": chosen, "panel that lies": lying},
    clean={
        "marked after training": build,
        "cannot be trained anew": partial(build, retrains=False),
        "fingerprint": partial(printed.build, check=CHECK),
        "questions that were learnt": partial(taught.build, check=CHECK),
    },
    scratch=True,
)
