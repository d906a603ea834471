"""Subjects of T3.weights: networks in files that bear the mark of the committed key, or do not."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.codec import canonical
from fivefold.contract.subject import SettingsView
from fivefold.traceability.watermark import attacks, embedding

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "T3.weights"
FAULTS = (
    "never marked",
    "another key",
    "neurons reordered",
    "trained anew",
    "too weak",
    "drowned in noise 20 times their size",
)


def network(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return a network of 5,500 to 80,000 weights, its layers of unlike scale and tails."""
    sizes = [int(one) for one in rng.integers(70, 200, int(rng.integers(3, 5)))]
    return {
        f"{at}.weight": (rng.standard_t(int(rng.integers(4, 30)), size=pair) * rng.uniform(0.5, 2) / np.sqrt(pair[1]))
        .astype(np.float32) for at, pair in enumerate(zip(sizes[1:], sizes, strict=False))
    }  # fmt: skip


def build(seed: int, fault: str = "") -> Context:
    """Return the context of an application whose network bears its mark, or is at fault."""
    rng = np.random.default_rng([seed, 0])
    weights = network(rng)
    made = embedding.embed(weights, rng.bytes(32), change=0.25)
    copy, opening = {**weights, **made.tensors}, made.opening
    if fault == "never marked":
        copy = weights
    elif fault == "another key":
        opening = embedding.embed(weights, rng.bytes(32), change=0.25).opening
    elif fault == "neurons reordered":
        copy = attacks.reordered(copy, rng)
    elif fault == "trained anew":
        copy = {name: rng.permuted(values, axis=None).reshape(values.shape) for name, values in weights.items()}
    elif fault == "too weak":  # a twentieth of the change: bits are those of chance
        copy = {name: weights[name] + 0.05 * (copy[name] - weights[name]) for name in weights}
    elif fault:
        copy = attacks.moved(copy, 20.0, rng)
    folder = Path(tempfile.mkdtemp(prefix="fivefold-truth-"))
    for name in ("scratch", "model"):
        (folder / name).mkdir()
    kind = np.float16 if not fault and seed % 3 == 0 else np.float32
    np.savez(folder / "model" / "net.npz", **{name: values.astype(kind) for name, values in copy.items()})
    parts = {"weights": b"{}", "weights.opening": canonical(opening), "weights.proof": b""}
    return context(
        CHECK, None, {}, seed, thresholds=floors(CHECK), settings=SettingsView(), effort="quick", mark=parts,
        model_root=folder / "model", scratch=folder / "scratch",
    )  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented=f"a network of 5,000 to 100,000 weights that does not bear the committed mark: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"marked": build},
    scratch=True,
)
