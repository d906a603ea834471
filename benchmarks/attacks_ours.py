"""Our side of the benchmark `attacks`; run in a process of its own, prints one JSON line."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import attacks_net as common
from fivefold.protection.evasion.engine import apgd, fab, hopskip, square, standard
from fivefold.protection.evasion.engine.trial import Field, Trial
from fivefold.subject.files.torch_model import TorchModel


class Net:
    """The network as the engine asks it."""

    classes = 10

    def __init__(self, made: Any) -> None:
        self._model = TorchModel(made, None, 0)

    def can(self, rows: int) -> bool:
        """Return whether rows may still be asked."""
        return rows >= 0

    def labels(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m,) classes."""
        return self.scores(values, rows).argmax(axis=1)

    def scores(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m, K) logits."""
        del rows
        return self._model(values.reshape(-1, 1, 28, 28))

    def slopes(
        self, values: np.ndarray, rows: np.ndarray, target: np.ndarray, loss: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and gradients."""
        del rows
        shaped = values.reshape(-1, 1, 28, 28)
        losses, found = self._model.gradient(shaped, target, loss, order=range(10), linked=True)
        return losses, found.reshape(len(values), -1)


class Forest:
    """The forest as the engine asks it: labels."""

    classes = 10

    def __init__(self, made: Any) -> None:
        self._made = made

    def can(self, rows: int) -> bool:
        """Return whether rows may still be asked."""
        return rows >= 0

    def labels(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m,) classes."""
        del rows
        return np.asarray(self._made.predict(values))

    scores = slopes = labels  # never asked


def _trial(victim: Any, x: np.ndarray, y: np.ndarray, *, norm: Any = "linf", epsilon: float, shape: Any) -> Trial:
    flat = x.reshape(len(x), -1).astype(np.float32)
    box = np.zeros((1, flat.shape[1]), dtype=np.float32)
    return Trial(Field(flat, box, box + 1, norm, epsilon, shape=shape), victim, y)


def main(rows: int, few: int, queries: int, net_file: Path) -> dict[str, Any]:
    """Attack, and return what stood, how far, and the processor's seconds."""
    made = common.trained(net_file)
    x, y, right = common.sample(made, rows)
    victim, shape, told = Net(made), (1, 28, 28), dict[str, Any]()

    def stands(trial: Trial) -> list[int]:
        found = np.zeros(rows, dtype=int)
        found[np.flatnonzero(right)[~trial.fallen]] = 1
        return found.tolist()

    def fresh() -> Trial:
        return _trial(victim, x[right], y[right], epsilon=common.EPSILON, shape=shape)

    for name in ("standard", "pgd", "square"):
        trial, rng, begun = fresh(), np.random.default_rng(1), time.process_time()
        if name == "standard":
            effort = standard.Effort()
            seen = standard.gradients(trial, effort, rng)
            standard.questions(trial, effort, rng, seen)
        elif name == "pgd":
            trial.begin("PGD")
            apgd.descend(trial, steps=40, size=0.01, rng=rng)
        else:
            trial.begin("Square")
            square.search(trial, queries=queries, rng=rng)
        told[name] = stands(trial)
        told[f"{name} seconds"] = time.process_time() - begun
    at = np.flatnonzero(right)[:few]
    pool = common.data()[2][-1000:]
    begin = common.starts(lambda some: victim.labels(some, some), pool, x[at], y[at])
    told |= _nearest("cnn", victim, (x[at], y[at], begin), shape)
    wood, dx, dy = common.forest()
    chosen = np.flatnonzero(wood.predict(dx) == dy)[:few]
    begin = common.starts(wood.predict, dx[-300:], dx[chosen], dy[chosen])
    return told | _nearest("forest", Forest(wood), (dx[chosen], dy[chosen], begin), ())


def _nearest(name: str, victim: Any, given: tuple[np.ndarray, ...], shape: Any) -> dict[str, Any]:
    x, y, begin = given
    trial, begun = _trial(victim, x, y, norm="l2", epsilon=1e-6, shape=shape), time.process_time()
    trial.begin("HopSkipJump")
    best: fab.Nearest = hopskip.search(
        trial, queries=2400, rng=np.random.default_rng(1), begin=begin.reshape(len(x), -1)
    )
    return {
        f"{name} l2": float(np.median(best.size)), f"{name} rows": int(trial.answers.sum()),
        f"{name} calls": trial.calls, f"{name} seconds": time.process_time() - begun,
    }  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
