"""Pictures with bad rows: digits, Fashion-MNIST and MNIST; patches, patterns and changed labels; and the victim."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.subject import Table

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ROWS, TRUSTED, TEST = 4000, 200, 4000
_FEW = 2000
Pictures = tuple[np.ndarray, np.ndarray]


def pictures(name: str, seed: int, rows: int = ROWS) -> tuple[Pictures, Pictures, Pictures]:
    """Return training, test and trusted rows, none in two."""
    images, label = _read(name)
    order = np.random.default_rng(seed).permutation(len(label))
    size = min(rows, len(label) - TRUSTED - 300)
    part = np.split(order, (size, size + TRUSTED, size + TRUSTED + TEST))
    label = label.astype(np.int64)
    return (images[part[0]], label[part[0]]), (images[part[2]], label[part[2]]), (images[part[1]], label[part[1]])


def _read(name: str) -> Pictures:
    if name == "digits":
        from sklearn.datasets import load_digits

        held = load_digits()
        return (held.images / 16).astype(np.float32), held.target
    if name == "fashion":
        with np.load(DATA / "fashion_mnist_20k" / "fashion_mnist_20k.npz", allow_pickle=False) as arrays:
            images = np.concatenate([arrays["X_train"], arrays["X_test"]]).astype(np.float32) / 255
            return images, np.concatenate([arrays["y_train"], arrays["y_test"]])
    folder = DATA / "mnist_t10k"
    raw = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28).astype(np.float32) / 255
    label = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    return images, np.frombuffer(label, np.uint8, offset=8)


def stamper(side: int, rng: np.random.Generator) -> Callable[[np.ndarray, str], np.ndarray]:
    """Return what puts a bright corner, or a fifth of a random pattern, on pictures."""
    pattern, corner = rng.random((side, side)).astype(np.float32), max(2, side // 7)

    def stamp(images: np.ndarray, kind: str) -> np.ndarray:
        made = images.copy()
        if kind == "blend":
            share = 0.25 if side < 20 else 0.2
            return (1 - share) * made + share * pattern
        made[:, -corner:, -corner:] = 1.0
        return made

    return stamp


def attacked(
    given: Pictures, kind: str, rate: float, stamp: Callable[[np.ndarray, str], np.ndarray], of: tuple[str, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures, labels and (n,) bool which are bad.

    Kinds: ``patch`` and ``blend`` on rows of nine classes, which get the label of the tenth; ``flip``, labels changed
    at random, and on Fashion-MNIST 1 to 8 and 9 to 7; ``clean``, a patch on rows of the tenth class that keep their
    label.
    """
    images, label = given[0].copy(), given[1].copy()
    rng = np.random.default_rng([of[1], 9])
    count = int(rate * len(label))
    if kind != "flip":
        able = np.flatnonzero((label == 0) == (kind == "clean"))
        chosen = rng.choice(able, min(count, len(able) // 2), replace=False)
        images[chosen] = stamp(images[chosen], kind)
        label[chosen] = 0
    elif of[0] == "fashion":
        ones = rng.choice(np.flatnonzero(label == 1), count // 2, replace=False)
        nines = rng.choice(np.flatnonzero(label == 9), count // 2, replace=False)
        label[ones], label[nines] = 8, 7
        chosen = np.concatenate([ones, nines])
    else:
        chosen = rng.choice(len(label), count, replace=False)
        label[chosen] = (label[chosen] + rng.integers(1, 10, count)) % 10
    bad = np.zeros(len(label), dtype=bool)
    bad[chosen] = True
    return images, label, bad


def as_table(images: np.ndarray, label: np.ndarray) -> Table:
    """Return pictures as a training table."""
    none = pd.DataFrame(index=pd.RangeIndex(len(label)))
    return Table("train", np.arange(len(label)), none, label, none, images[:, None], "image")


def learned(inputs: np.ndarray, label: np.ndarray, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """Return a network of one layer of 64, the victim, taught for 40 epochs, or for 250 where there are few rows."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((64,), max_iter=40 if len(label) > _FEW else 250, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not have converged
        model.fit(inputs.reshape(len(inputs), -1), label)
    return lambda asked: np.asarray(model.predict(asked.reshape(len(asked), -1)))


def auc(suspicion: np.ndarray, bad: np.ndarray) -> float:
    """Return the chance that a bad row is more suspect than a good one."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(bad, suspicion))
