"""Subjects of S4: rows used while encrypted, with settings, keys and trainings that are as they should be, or not."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.contract.subject import SettingsView
from fivefold.sharing.ciphertext import engine, scorer, settings
from fivefold.sharing.ciphertext.declared import MODEL

from .entry import Entry
from .floors import floors
from .subjects import context, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context

KEY, INFERENCE, TRAINING, PARAMETERS = "S4.key", "S4.inference", "S4.training", "S4.parameters"
INSECURE = ((4096, (60, 40, 60)), (8192, (60, 60, 60, 60)), (16384, (60,) * 8))


def _scorer(rng: np.random.Generator, kind: str, names: list[str]) -> dict[str, Any]:
    """Return a scorer of two to nine columns."""
    columns: dict[str, Any] = {name: {"bounds": [-4.0, 4.0]} for name in names[:-1]}
    columns[names[-1]] = {"values": ["north", "south", "east"]}
    wide, hidden = len(names) + 3, int(rng.integers(1, 4))
    told: dict[str, Any] = {"version": 1, "kind": kind, "columns": columns}
    if kind == "trees":
        for name in names[:-1]:
            columns[name] = {"edges": [-40.0, *np.unique(rng.normal(size=4).round(2)).tolist(), 40.0]}
        return told | {"weights": [0.2], "trees": [_tree(rng, columns, 3) for _ in range(int(rng.integers(1, 5)))]}
    if kind == "square":
        layers = rng.normal(size=(hidden, wide + 1)) / np.sqrt(wide)
        return told | {"hidden": layers.tolist(), "weights": rng.uniform(-0.5, 0.5, hidden + 1).tolist()}
    return told | {"weights": (rng.normal(size=wide + 1) * rng.uniform(0.2, 1.5)).tolist()}


def _tree(rng: np.random.Generator, columns: dict[str, Any], depth: int) -> Any:
    """Return a drawn tree of at most ``depth`` splits on a path, at least one."""
    name = str(rng.choice(list(columns)))
    edges = columns[name].get("edges")
    at = {"below": float(rng.choice(edges[1:-1]))} if edges else {"among": ["south"]}
    below = [
        float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0)) if depth == 1 or rng.random() < 0.2
        else _tree(rng, columns, depth - 1)
        for _ in range(2)
    ]  # fmt: skip
    return {"column": name, "yes": below[0], "no": below[1], "otherwise": str(rng.choice(["yes", "no"])), **at}


def build(
    check: str, seed: int, *, scale: float = 0.0, insecure: bool = False, traffic: str = "", kind: str = "",
    coarse: bool = False, **more: Any,
) -> Context:  # fmt: skip
    """Build a declared scorer.

    Args:
        check: Check id.
        seed: Of columns, weights and rows.
        scale: How many times the floor an error would be at the declared scale; 0: the product picks.
        insecure: Settings are above the table.
        traffic: What another system's server was sent: ``key``, ``rows`` or ``ciphertexts``; empty: ours is played.
        kind: Of the scorer; empty: drawn.
        coarse: Primes of 22 bits are declared.
        more: Options of the control.
    """
    rng = np.random.default_rng([seed, 5])
    count, rows = int(rng.integers(2, 9)), 600
    names = [f"m{int(rng.integers(1000))}_{at}" for at in range(count)]
    kind = kind or "linear" if scale or kind else str(rng.choice(["linear", "logistic", "square"], p=(0.4, 0.4, 0.2)))
    told = _scorer(rng, kind, names)
    made = scorer.read(json.dumps(told).encode())
    frame = pd.DataFrame({name: rng.normal(size=rows) for name in names[:-1]})
    frame[names[-1]] = rng.choice(["north", "south", "east", "west"], rows)
    options: dict[str, Any] = {"model": "scorer.json", **more}
    if scale:
        spread = 3.2 * np.sqrt(8192) * np.sqrt((made.layers[:, 1:] ** 2).sum()) * 3
        bits = int(np.log2(spread / (scale * 1e-4)))
        options["settings"] = {"degree": 8192, "primes": [60, 60, 60], "scale": bits, "rescale": False}
    if coarse:
        options["settings"] = {"degree": 8192, "primes": [60, 22, 22, 22, 60], "scale": 22, "rescale": True}
    if insecure:
        degree, primes = INSECURE[seed % len(INSECURE)]
        options["settings"] = {"degree": degree, "primes": list(primes), "scale": 40, "rescale": True}
    tables = {"train": table("train", frame, rng.integers(0, 2, rows))}
    if traffic:
        options["traffic"] = "sent"
        cells = [base64.b64encode(body).decode() for body in _sent(made, frame, traffic, seed)]
        tables["sent"] = table("sent", pd.DataFrame({"bytes": cells}), np.zeros(len(cells), dtype=np.int64))
    view = SettingsView(level=1, controls={"S4": options}, facts={MODEL: json.dumps(told)})
    return context(check, None, tables, seed, thresholds=floors(check), settings=view)


def _sent(made: scorer.Scorer, frame: pd.DataFrame, what: str, seed: int) -> list[bytes]:
    """Return what a server was sent by a client of another make."""
    keys = engine.Keys(settings.pick(made))
    x = scorer.encoded(made.columns, frame.iloc[:200])
    bodies = [keys.context(products=bool(made.hidden)), *keys.encrypt_rows(x)]
    if what == "key":
        bodies.insert(seed % len(bodies), keys.secret())
    if what == "rows":
        numbers = frame.iloc[:200, 0].to_numpy()
        clear = (x[:, 0].astype("<f8").tobytes(), numbers.astype("<f4").tobytes(), frame[:40].to_csv().encode())
        bodies.append(b"{}" + clear[seed % 3])
    return bodies


def learning(check: str, seed: int, *, far: bool = False, coarse: bool = False, **more: Any) -> Context:
    """Build rows of two classes to be learned from while encrypted.

    Args:
        check: Check id.
        seed: Of rows and names.
        far: Half of one class lies far off, so that a single step puts the border in the wrong place.
        coarse: Primes of 30 bits, which the weights do not survive.
        more: Of the training.
    """
    rng = np.random.default_rng([seed, 6])
    rows, wide = 9000, int(rng.integers(2, 5))
    target = rng.integers(0, 2, rows)
    centre = rng.normal(size=wide)
    x = rng.normal(size=(rows, wide)) * 0.5 + np.outer(2 * target - 1, centre) * rng.uniform(0.5, 1.0)
    if far:
        x[:, 0] = (
            np.where(target == 1, np.where(rng.random(rows) < 0.5, 0.25, 9.0), -0.25) + rng.normal(size=rows) * 0.1
        )
        x[:, 1:] = rng.normal(size=(rows, wide - 1))
    names = [f"q{int(rng.integers(1000))}_{at}" for at in range(wide)]
    frame = pd.DataFrame(x, columns=names)
    frame[rng.random(rows) < 0.02] = np.nan
    columns = {name: {"bounds": [-10.0, 10.0] if far else [-4.0, 4.0]} for name in names}
    told: dict[str, Any] = {"target": "label", "positive": "yes", "columns": columns, **more}
    if coarse:
        told["settings"] = {"degree": 16384, "primes": [40, 25, 25, 25, 25, 40], "scale": 25, "rescale": True}
    frame["label"] = np.where(target == 1, "yes", "no")
    tables = {"train": table("train", frame, target)}
    view = SettingsView(level=1, controls={"S4": {"training": told}}, classes=("no", "yes"))
    return context(check, None, tables, seed, thresholds=floors(check), settings=view)


ENTRIES = {
    KEY: Entry(
        check=KEY,
        documented="the key, or rows in the clear, in what the server is sent",
        planted={
            "key sent along": partial(build, KEY, traffic="key"),
            "rows sent along": partial(build, KEY, traffic="rows"),
        },
        clean={
            "our client and server": partial(build, KEY),
            "another system's ciphertexts": partial(build, KEY, traffic="ciphertexts"),
        },
    ),
    INFERENCE: Entry(
        check=INFERENCE,
        documented="a scale at which the worst row is off by three times the floor; of trees, primes of 22 bits",
        planted={
            "scale too small": partial(build, INFERENCE, scale=3.0),
            "trees, primes too small": partial(build, INFERENCE, kind="trees", coarse=True),
        },
        clean={
            "picked settings": partial(build, INFERENCE),
            "trees, picked settings": partial(build, INFERENCE, kind="trees"),
        },
    ),
    TRAINING: Entry(
        check=TRAINING,
        documented="primes of 25 bits; or a single step where half of a class lies far off",
        planted={
            "too coarse": partial(learning, TRAINING, coarse=True),
            "one step": partial(learning, TRAINING, far=True, steps=1),
        },
        clean={"five steps": partial(learning, TRAINING)},
    ),
    PARAMETERS: Entry(
        check=PARAMETERS,
        documented="a modulus above the table; or a scale that is too small",
        planted={
            "insecure": partial(build, PARAMETERS, insecure=True),
            "scale too small": partial(build, PARAMETERS, scale=3.0),
        },
        clean={"picked settings": partial(build, PARAMETERS), "for training": partial(learning, PARAMETERS)},
    ),
}

key_sent = partial(build, KEY, traffic="key")
small_scale = partial(build, INFERENCE, scale=30.0)
one_step = partial(learning, TRAINING, far=True, steps=1)
coarse = partial(learning, TRAINING, coarse=True)
insecure = partial(build, PARAMETERS, insecure=True)
small_declared = partial(build, PARAMETERS, scale=30.0)
