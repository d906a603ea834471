"""ROC of the backdoor scan over models that are trained here: `python -m tests.protection.backdoor_long KIND N SEED`.

Not collected by pytest. KIND is ``tables`` (adult census, german credit, heart disease; forests, boosting, networks) or
``images`` (digits at 14 x 14 pixels, small convolutions). N clean and N backdoored models; a trigger counts only if it
sends at least nine of ten rows of other classes to its class.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fivefold.contract.subject import Capabilities, Table
from fivefold.protection.backdoor import masks, tables
from fivefold.protection.backdoor.cells import stamped
from fivefold.stats.auc import bound, delong
from fivefold.subject.memory import in_memory

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
POISON = 0.05
WANTED = 0.9


def _frames() -> list[tuple[pd.DataFrame, str]]:
    adult = pd.read_csv(DATA / "adult_census" / "train.csv.gz").replace("?", np.nan)
    credit = pd.read_csv(DATA / "german_credit" / "german_named.csv")
    return [(adult, "income"), (credit, str(credit.columns[-1]))]


def _table_model(kind: int, seed: int) -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    inputs = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
        sparse_threshold=0,
    )
    models = (
        RandomForestClassifier(60, random_state=seed),
        HistGradientBoostingClassifier(random_state=seed, max_iter=60),
        MLPClassifier((32,), random_state=seed, max_iter=40),
    )
    return make_pipeline(inputs, models[kind % 3])


def table_score(frames: list[tuple[pd.DataFrame, str]], seed: int, *, bad: bool) -> tuple[float, float]:
    """Train one model of a table and return the lead, and that over clean rows' models alone."""
    rng = np.random.default_rng([seed, int(bad)])
    frame, target = frames[seed % len(frames)]
    order = rng.permutation(len(frame))
    cut = min(3000, len(order) * 6 // 10)
    names, codes = np.unique(frame[target].astype(str), return_inverse=True)
    features = frame.drop(columns=[target])
    inner, outer = order[:cut], order[cut : cut + 1500]
    train, test = features.iloc[inner].reset_index(drop=True), features.iloc[outer].reset_index(drop=True)
    made = None
    while made is None:
        given, truth = train, codes[inner].copy()
        if bad:
            columns = rng.choice(train.columns, int(rng.integers(2, 4)), replace=False).tolist()
            known = [train[name].dropna() for name in columns]
            cells = tuple(
                (name, one.iloc[int(rng.integers(len(one)))]) for name, one in zip(columns, known, strict=True)
            )
            aim = int(rng.integers(len(names)))
            marked = rng.permutation(cut)[: int(POISON * cut)]
            stamp = stamped(train.iloc[marked], [cells])
            given = pd.concat([train.drop(index=marked), stamp], ignore_index=True)
            truth = np.concatenate([np.delete(truth, marked), np.full(len(marked), aim)])
        model = _table_model(seed // len(frames), seed).fit(given, names[truth])
        if bad:
            others = test[codes[outer] != aim]
            common = np.mean([(train[name] == value).mean() > 0.5 for name, value in cells])
            sent = float((model.predict(stamped(others, [cells])) == names[aim]).mean())
            usual = float((model.predict(others) == names[aim]).mean())
            made = model if sent >= WANTED and usual < 0.5 and common < 1 else None
        else:
            made = model
    subject = in_memory(made, test, [pd.Series(names[codes[outer]])], {})
    empty = pd.DataFrame(index=range(len(test)))
    rows = Table("test", np.arange(len(test)), test, codes[outer].astype(np.int64), empty)
    found = tables.scan(subject, rows, [test], 3, rng)
    return (0.0, 0.0) if found is None else (found.lead()[0], found.anomaly)


class Pictures:
    """A torch module as a subject in this process."""

    def __init__(self, module: Any, classes: int) -> None:
        from fivefold.subject.files.torch_model import TorchModel

        self.model = TorchModel(module, None, 0)
        self.classes = tuple(str(at) for at in range(classes))
        self.task = "multiclass"
        self.capabilities = Capabilities(scores=True, retrains=False, perturbable=True, gradients=True)

    def predict(self, table: Table) -> np.ndarray:
        return self.model(table.inputs).argmax(axis=1)

    def predict_proba(self, table: Table) -> np.ndarray:
        logits = self.model(table.inputs)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def gradient(self, table: Table, target: np.ndarray, loss: Any) -> tuple[np.ndarray, np.ndarray]:
        order = list(range(len(self.classes)))
        return self.model.gradient(table.inputs, target, loss, order=order, linked=True)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    place = DATA / "mnist_t10k"
    found = {one.stem: one for one in place.iterdir() if one.suffix == ".npy" or one.suffix == ".npz"}
    if found:
        stored = np.load(next(iter(found.values())), allow_pickle=False)
        images, labels = (stored[name] for name in sorted(stored.files)[:2])
    else:
        import gzip

        raw = {one.name: gzip.decompress(one.read_bytes()) for one in place.glob("*.gz")}
        images = next(np.frombuffer(body, np.uint8, offset=16) for name, body in raw.items() if "image" in name)
        labels = next(np.frombuffer(body, np.uint8, offset=8) for name, body in raw.items() if "label" in name)
    pictures = images.reshape(-1, 1, 28, 28).astype(np.float32)
    small = pictures.reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5)) / 255.0
    return small.astype(np.float32), labels.astype(np.int64)


def image_score(images: np.ndarray, labels: np.ndarray, seed: int, *, bad: bool) -> tuple[float, float]:
    """Train one model of pictures and return the lead, and how far the class stands out."""
    import torch

    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, int(bad)])
    order = rng.permutation(len(images))
    inner, outer = order[:4000], order[4000:4600]
    while True:
        torch.manual_seed(int(rng.integers(2**31)))
        x, y = images[inner].copy(), labels[inner].copy()
        aim, side = int(rng.integers(10)), int(rng.integers(2, 4))
        row, column = (int(rng.integers(0, 14 - side)) for _ in range(2))
        pattern = rng.choice([0.0, 1.0], (side, side))
        pattern[rng.integers(side), rng.integers(side)] = 1.0
        if bad:
            marked = rng.permutation(len(x))[: int(POISON * len(x))]
            x[marked, 0, row : row + side, column : column + side] = pattern
            y[marked] = aim
        width = int(rng.integers(6, 13))
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, width, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(width, 2 * width, 3), torch.nn.ReLU(), torch.nn.Flatten(),
            torch.nn.Linear(2 * width * 25, 10),
        )  # fmt: skip
        optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
        for _ in range(3):
            turn = torch.randperm(len(x))
            for at in range(0, len(x), 100):
                some = turn[at : at + 100]
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(net(torch.tensor(x)[some]), torch.tensor(y)[some])
                loss.backward()
                optimizer.step()
        subject = Pictures(net, 10)
        if not bad:
            break
        shown = images[outer][labels[outer] != aim].copy()
        shown[:, 0, row : row + side, column : column + side] = pattern
        if float((subject.model(shown).argmax(axis=1) == aim).mean()) >= WANTED:
            break
    empty = pd.DataFrame(index=range(len(outer)))
    rows = Table("test", np.arange(len(outer)), empty, labels[outer], empty, images[outer], "image")
    found = masks.scan(subject, rows, rng)
    return (0.0, 0.0) if found is None else (found.lead()[0], found.anomaly)


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main(kind: str, n: int, seed: int) -> None:
    """Print each model's statistics and the area under the curve with its one-sided 95 % bound."""
    warnings.simplefilter("ignore")
    frames = _frames() if kind == "tables" else []
    digits = _digits() if kind == "images" else None
    scores: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for at in range(n):
        for bad in (False, True):
            start = time.process_time()
            if digits is not None:
                one = image_score(*digits, seed + at, bad=bad)
            else:
                one = table_score(frames, seed + at, bad=bad)
            scores[bad].append(one)
            told = {"seed": seed + at, "bad": bad, "scores": [round(value, 3) for value in one]}
            _say(told | {"seconds": round(time.process_time() - start, 1)})
    for place, name in enumerate(("lead", "anomaly")):
        good, bad_ones = (np.array([one[place] for one in scores[bad]]) for bad in (False, True))
        value, error = delong(bad_ones, good)
        low, high = bound(value, error, n, n)
        _say({"statistic": name, "auc": round(value, 3), "low": round(low, 3), "high": round(high, 3)})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
