"""Power of C2: what ensembles of four designs notice of four attacks. Run as a script; writes Markdown.

    python -m tests.adaptation.power_ensemble [ROWS [CASE ...]] > docs/figures/ensemble.md

ROWS attacked rows for each subject (300), CASE by its place from 0 (all). Nothing here was used when the detector was
designed: other draws of the rows and other nets.
"""

from __future__ import annotations

import gzip
import sys
import time
import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from fivefold.adaptation import encoding
from fivefold.adaptation.ensemble import detector
from fivefold.adaptation.ensemble.members import Member
from fivefold.contract.subject import Capabilities, Subject, Table
from fivefold.errors import UnsupportedError
from fivefold.protection.attacking import Attacker
from fivefold.stats.proportion import clopper_pearson
from fivefold.subject.rows import of

if TYPE_CHECKING:
    from fivefold.adaptation.ensemble.detector import Ensemble
    from fivefold.contract.subject import Loss

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
RATE = 0.01
ADAPTIVE = 60
NET_ROWS = 6000
"""Rows that a member of the first two designs learns, as many as one of the others."""

DESIGNS = ("five plain nets", "five nets on halves", "stirred views and families", "the same, and the margin")


class Network:
    """A small network of torch: fully connected, or with two convolutions.

    Attributes:
        task: Of two classes or more.
        classes: Names.
        capabilities: Scores and gradients.
    """

    def __init__(self, train: Table, classes: int, seed: int, *, convolutional: bool = False, rounds: int = 20) -> None:
        import torch
        from torch import nn

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.task, self.classes = "multiclass", tuple(str(i) for i in range(classes))
        self.capabilities = Capabilities(scores=True, retrains=False, perturbable=True, gradients=True)
        width = self._shaped(train).shape[1:].numel()
        self._convolutional = convolutional
        self._net = (
            nn.Sequential(
                nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, classes),
            )
            if convolutional
            else nn.Sequential(nn.Flatten(), nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, classes))
        )  # fmt: skip
        made = torch.optim.Adam(self._net.parameters(), lr=2e-3)
        slower = torch.optim.lr_scheduler.CosineAnnealingLR(made, rounds)
        rows, target = self._shaped(train), torch.tensor(train.target)
        for _ in range(rounds):
            for part in torch.randperm(len(rows)).split(128):
                made.zero_grad()
                nn.functional.cross_entropy(self._net(rows[part]), target[part]).backward()
                made.step()
            slower.step()
        self._net.eval()

    def _shaped(self, table: Table) -> Any:
        import torch

        if table.inputs is None:
            return torch.tensor(table.features.to_numpy(dtype=np.float32))
        return torch.tensor(table.inputs.astype(np.float32) / 255)

    def _logits(self, table: Table) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self._net(self._shaped(table)).numpy().astype(np.float64)

    def predict(self, table: Table) -> np.ndarray:
        return self._logits(table).argmax(axis=1).astype(np.int64)

    def predict_proba(self, table: Table) -> np.ndarray:
        logits = self._logits(table)
        chance = np.exp(logits - logits.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def retrain(self, table: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        import torch
        from torch import nn

        rows, wanted = self._shaped(table).requires_grad_(), torch.tensor(target)
        logits = self._net(rows)
        mine = logits.gather(1, wanted[:, None])[:, 0]
        others = logits.scatter(1, wanted[:, None], -torch.inf).amax(dim=1)
        losses = others - mine if loss == "margin" else nn.functional.cross_entropy(logits, wanted, reduction="none")
        (found,) = torch.autograd.grad(losses.sum(), rows)
        return losses.detach().numpy().astype(np.float64), found.numpy()


class Logistic(Network):
    """A linear model of scikit-learn."""

    def __init__(self, train: Table) -> None:
        self._model = LogisticRegression(max_iter=500).fit(train.features.to_numpy(), train.target)
        count = len(self._model.classes_)
        self.task, self.classes = "binary" if count == 2 else "multiclass", tuple(str(i) for i in range(count))
        self.capabilities = Capabilities(scores=True, retrains=False, perturbable=True, gradients=True)

    def _logits(self, table: Table) -> np.ndarray:
        found = self._model.decision_function(table.features.to_numpy())
        return np.column_stack([np.zeros(len(found)), found]) if found.ndim == 1 else found

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        weights = self._model.coef_
        weights = np.vstack([np.zeros_like(weights), weights]) if len(weights) == 1 else weights
        logits, here = self._logits(table), np.arange(len(table))
        others = logits.copy()
        others[here, target] = -np.inf
        best = others.argmax(axis=1)
        if loss == "margin":
            return logits[here, best] - logits[here, target], weights[best] - weights[target]
        chance = self.predict_proba(table)
        pull = chance.copy()
        pull[here, target] -= 1
        return -np.log(chance[here, target] + 1e-300), pull @ weights


@dataclass(frozen=True)
class Case:
    """A subject with its rows.

    Attributes:
        name: What it is.
        model: Subject.
        train: Training rows.
        calibration: Calibration rows.
        clean: Test rows.
    """

    name: str
    model: Network
    train: Table
    calibration: Table
    clean: Table


def table(
    name: str, target: np.ndarray, *, inputs: np.ndarray | None = None, frame: pd.DataFrame | None = None
) -> Table:
    """Return rows as a table."""
    empty = pd.DataFrame(index=pd.RangeIndex(len(target)))
    kind = "table" if inputs is None else "image"
    return Table(
        name, np.arange(len(target)), empty if frame is None else frame, target, empty, inputs=inputs, kind=kind
    )


def mnist(seed: int) -> tuple[Table, Table, Table]:
    """Return 4,000 training, 1,000 calibration and 5,000 test images."""
    folder = DATA / "mnist_t10k"
    images = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    order = np.random.default_rng(seed).permutation(10_000)
    inputs, target = images.reshape(-1, 1, 28, 28)[order], labels.astype(np.int64)[order]
    cuts = (("train", 0, 4000), ("calibration", 4000, 5000), ("test", 5000, 10_000))
    made = [table(name, target[low:high], inputs=inputs[low:high]) for name, low, high in cuts]
    return made[0], made[1], made[2]


def fashion(seed: int) -> tuple[Table, Table, Table]:
    """Return 10,000 training, 2,000 calibration and 8,000 test images."""
    with np.load(DATA / "fashion_mnist_20k" / "fashion_mnist_20k.npz", allow_pickle=False) as held:
        parts = {name: held[name] for name in held.files}
    order = np.random.default_rng(seed).permutation(10_000)
    inputs, target = parts["X_test"].reshape(-1, 1, 28, 28)[order], parts["y_test"].astype(np.int64)[order]
    return (
        table("train", parts["y_train"].astype(np.int64), inputs=parts["X_train"].reshape(-1, 1, 28, 28)),
        table("calibration", target[:2000], inputs=inputs[:2000]),
        table("test", target[2000:], inputs=inputs[2000:]),
    )


def generated(seed: int, classes: int) -> tuple[Table, Table, Table]:
    """Return 4,000 training, 2,000 calibration and 6,000 test rows of 20 numbers, classes well apart."""
    values, target = make_classification(
        12_000, 20, n_informative=8, n_redundant=8, n_classes=classes, n_clusters_per_class=1, class_sep=3.5,
        flip_y=0.0, random_state=seed,
    )  # fmt: skip
    frame = pd.DataFrame(values, columns=[f"n{at}" for at in range(20)])
    cuts = (("train", 0, 4000), ("calibration", 4000, 6000), ("test", 6000, 12_000))
    made = [
        table(name, target[low:high].astype(np.int64), frame=frame.iloc[low:high].reset_index(drop=True))
        for name, low, high in cuts
    ]
    return made[0], made[1], made[2]


def cases() -> list[Any]:
    """Return what makes each case."""

    def made(name: str, parts: Any, model: Any) -> Case:
        train, calibration, clean = parts()
        return Case(name, model(train), train, calibration, clean)

    net = partial(Network, classes=10, seed=41)
    return [
        partial(made, "MNIST, fully connected net", partial(mnist, 201), net),
        partial(made, "MNIST, convolutional net", partial(mnist, 202), partial(net, convolutional=True, rounds=10)),
        partial(made, "Fashion-MNIST, fully connected net", partial(fashion, 203), net),
        partial(
            made, "Fashion-MNIST, convolutional net", partial(fashion, 204), partial(net, convolutional=True, rounds=8)
        ),
        partial(made, "generated table, two classes, logistic", partial(generated, 105, 2), Logistic),
        partial(
            made, "generated table, two classes, net", partial(generated, 106, 2), partial(Network, classes=2, seed=42)
        ),
        partial(made, "generated table, four classes, logistic", partial(generated, 107, 4), Logistic),
    ]


def ensembles(case: Case) -> dict[str, tuple[Ensemble, bool]]:
    """Return design to ensemble, fitted, and whether the model's margin counts."""
    rows, labels, width = of(case.train), case.train.target, len(case.model.classes)
    coded = encoding.fit(rows)
    inputs = coded(rows)
    rng = np.random.default_rng(7)

    def net(columns: np.ndarray, seed: int) -> Member:
        model = MLPClassifier((128,), max_iter=25, random_state=seed)
        model.fit(inputs[some][:, columns], labels[some])
        return Member("net", lambda given: given[:, columns], model, model.classes_)

    everything = np.arange(inputs.shape[1])
    some = rng.permutation(len(inputs))[:NET_ROWS]
    halves = [np.sort(rng.choice(everything, (len(everything) + 1) // 2, replace=False)) for _ in range(5)]
    forced = detector.fit(rows, labels, width, 5, np.random.default_rng(8))
    return {
        DESIGNS[0]: (replace(forced, members=tuple(net(everything, seed) for seed in range(5))), False),
        DESIGNS[1]: (replace(forced, members=tuple(net(half, at) for at, half in enumerate(halves))), False),
        DESIGNS[2]: (forced, False),
        DESIGNS[3]: (forced, True),
    }


def judged(case: Case, made: tuple[Ensemble, bool], rows: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) disagreement and (n,) alarms."""
    ensemble, margin = made
    found = ensemble.judge(of(rows), case.model.predict(rows), case.model.predict_proba(rows) if margin else None)
    return found.disagreement, found.alarm


def calibrated(case: Case, made: tuple[Ensemble, bool]) -> tuple[Ensemble, bool]:
    """Return a design with its threshold."""
    rows, margin = case.calibration, made[1]
    scores = case.model.predict_proba(rows) if margin else None
    fitted = detector.calibrated(made[0], of(rows), case.model.predict(rows), scores, false_alarms=RATE)
    return fitted, margin


def strike(case: Case, rows: Table, rng: np.random.Generator) -> dict[str, Any]:
    """Return attack to what it made of the rows."""
    attacker, model = Attacker([case.clean, case.train], {}), case.model
    public = case.train.take(rng.permutation(len(case.train))[:800])

    def answer(changed: Table, origin: np.ndarray) -> np.ndarray:
        return model.predict(changed)

    lessons = case.train.take(rng.permutation(len(case.train))[:2000])
    substitute = Network(replace(lessons, target=model.predict(lessons)), len(model.classes), 77)
    labels = partial(attacker.labels, answer, rows, public, rng=rng)
    return {
        "labels only, minimal": labels(epsilon=0.3, queries=200),
        "labels only, first change within 0.1": labels(epsilon=0.1, queries=200, minimal=False),
        "white box within 0.1": attacker.slopes(model, answer, rows, epsilon=0.1, rng=rng),
        "transfer within 0.1": attacker.slopes(substitute, answer, rows, epsilon=0.1, rng=rng),
    }


def adaptive(case: Case, made: tuple[Ensemble, bool], rows: Table, *, minimal: bool) -> np.ndarray:
    """Return (n,) bool, rows of which a wrong answer got through without an alarm."""
    attacker, held = Attacker([case.clean, case.train], {}), case.model.predict(rows)

    def answer(changed: Table, origin: np.ndarray) -> np.ndarray:
        return np.where(judged(case, made, changed)[1], held[origin], case.model.predict(changed))

    public = case.train.take(np.random.default_rng(10).permutation(len(case.train))[:800])
    struck = attacker.labels(
        answer, rows, public, epsilon=0.3 if minimal else 0.1, queries=200,
        rng=np.random.default_rng(9), minimal=False,
    )  # fmt: skip
    return struck.fell


def share(hits: np.ndarray) -> str:
    """Return a share with its two one-sided 95 % bounds."""
    low, high = clopper_pearson(int(hits.sum()), len(hits))
    return f"{hits.mean():.2f} ({float(low):.2f} to {float(high):.2f}; {len(hits)})" if len(hits) else "none fell"


def one(case: Case, count: int, say: Any) -> None:
    """Print the tables of one case."""
    rng = np.random.default_rng(5)
    right = np.flatnonzero(case.model.predict(case.clean) == case.clean.target)
    rows = case.clean.take(np.sort(rng.choice(right, min(count, len(right)), replace=False)))
    struck = strike(case, rows, rng)
    before = case.model.predict(rows)
    fell = {name: case.model.predict(found.rows) != before for name, found in struck.items()}
    designs = {name: calibrated(case, made) for name, made in ensembles(case).items()}
    clean = {name: judged(case, made, case.clean) for name, made in designs.items()}
    say(f"## {case.name}\n\nAccuracy {len(right) / len(case.clean):.3f}; {len(case.train)} training, ", end="")
    say(f"{len(case.calibration)} calibration, {len(case.clean)} clean rows; {len(rows)} attacked.\n")
    say(f"| | fell | {' | '.join(designs)} |\n|---|---|{'---|' * len(designs)}")
    alarms = " | ".join(f"{alarm.mean():.4f}" for _, alarm in clean.values())
    say(f"| alarms on clean rows, declared {RATE} | | {alarms} |")
    for name, found in struck.items():
        cells = [share(judged(case, made, found.rows)[1][fell[name]]) for made in designs.values()]
        say(f"| {name} | {fell[name].mean():.2f} | {' | '.join(cells)} |")
    exact = []
    for name, made in designs.items():
        cut = np.sort(clean[name][0])[len(case.clean) - int(RATE * len(case.clean)) - 1]
        found = struck["labels only, minimal"].rows
        exact.append(share(judged(case, made, found)[0][fell["labels only, minimal"]] > cut))
    say(f"| labels only, minimal, at 1 % of these clean rows | | {' | '.join(exact)} |")
    wanted = designs[DESIGNS[3]]
    say("\n| all members of the last design attacked | falls alone | falls unnoticed, of those alone |\n|---|---|---|")
    for minimal, alone in ((False, "labels only, first change within 0.1"), (True, "labels only, minimal")):
        some = rows.take(np.flatnonzero(fell[alone])[:ADAPTIVE])
        through = adaptive(case, wanted, some, minimal=minimal) if len(some) else np.zeros(0, dtype=bool)
        reach = "within 0.3" if minimal else "within 0.1"
        say(f"| {reach} | {fell[alone].mean():.2f} | {share(through)} |")
    single = rows.take(np.arange(1))
    begun = time.process_time()
    for _ in range(20):
        judged(case, wanted, single)
    took = 1000 * (time.process_time() - begun) / 20
    say(f"\nOne row takes the last design {took:.0f} ms, the model included.\n")


def main(count: int, only: list[str]) -> None:
    """Print the page."""
    warnings.simplefilter("ignore")
    say = partial(print, file=sys.stdout, flush=True)
    say("# Power of ensembles (C2)\n\nBy `python -m tests.adaptation.power_ensemble`. Shares of the attacked rows that")
    say("fell which are alarmed, with two one-sided 95 % bounds and their number. Thresholds: conformal at 1 % on the")
    say("calibration rows; one line takes the threshold from the clean rows themselves.\n")
    for place, made in enumerate(cases()):
        if not only or str(place) in only:
            one(made(), count, say)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300, sys.argv[2:])
