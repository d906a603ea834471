"""One function as eight kinds of subject, for three tasks; and the table of checks that run on each, printed by CI.

The function is a linear one with fixed weights, so every kind must give the same answers: in memory, as a Python
factory, a torch factory with safetensors weights, an ONNX file, an endpoint over REST and over gRPC, a file of
predictions, and a command (awk).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from fivefold.catalogue.load import load
from fivefold.plan.make import unnamed

from .oip_server import Running, Served

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ("memory", "factory", "torch", "onnx", "rest", "grpc", "predictions", "command")
TASKS = ("binary", "multiclass", "regression")
COLUMNS = ("a", "b", "c")
CLASSES = {"binary": ("no", "yes"), "multiclass": ("low", "mid", "top"), "regression": ()}
WEIGHTS = {
    "binary": np.array([[0.0, 2.0], [0.0, -1.0], [0.0, 0.5]]),
    "multiclass": np.array([[-2.0, 0.0, 2.0], [1.0, 0.0, -1.0], [-0.5, 0.0, 0.5]]),
    "regression": np.array([[2.0], [-1.0], [0.5]]),
}
ROWS = 400


def scores(task: str, frame: pd.DataFrame) -> np.ndarray:
    """Return (n, K) probabilities, or (n,) values."""
    raw = frame[list(COLUMNS)].to_numpy(dtype=np.float64) @ WEIGHTS[task]
    if task == "regression":
        return raw[:, 0]
    raised = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def rows(task: str, seed: int) -> pd.DataFrame:
    """Return rows whose answer follows the function, but for chance."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(size=ROWS).round(4) for name in COLUMNS})
    frame["group"] = rng.choice(["f", "m"], ROWS)
    given = scores(task, frame)
    if task == "regression":
        frame["y"] = given + 0.3 * rng.normal(size=ROWS)
    else:
        drawn = (rng.random(ROWS)[:, None] > given.cumsum(axis=1)).sum(axis=1)
        frame["y"] = np.array(CLASSES[task])[np.minimum(drawn, given.shape[1] - 1)]
    return frame


class Memory:
    """The function as an estimator in memory."""

    def __init__(self, task: str) -> None:
        """Remember the task."""
        self.task = task
        if task != "regression":
            self.classes_ = np.array(CLASSES[task])
            self.predict_proba = lambda frame: scores(task, frame)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return labels or values."""
        given = scores(self.task, frame)
        return given if self.task == "regression" else self.classes_[given.argmax(axis=1)]


_FACTORY = """
import numpy as np
WEIGHTS = np.array({weights})
CLASSES = {classes}

class Model:
    def predict(self, frame):
        raw = frame[["a", "b", "c"]].to_numpy(dtype=float) @ WEIGHTS
        return raw[:, 0] if not CLASSES else np.array(CLASSES)[raw.argmax(axis=1)]

class Classifier(Model):
    classes_ = np.array(CLASSES)
    def predict_proba(self, frame):
        raised = np.exp(frame[["a", "b", "c"]].to_numpy(dtype=float) @ WEIGHTS)
        return raised / raised.sum(axis=1, keepdims=True)

def load():
    return Classifier() if CLASSES else Model()
"""
_NET = """
import torch

def build():
    return torch.nn.Linear(3, {outputs})
"""
_AWK = """
BEGIN {{ FS = OFS = ","; print "{header}" }}
NR == 1 {{ for (i = 1; i <= NF; i++) at[$i] = i; next }}
{{ {lines} }}
"""


def _awk(task: str) -> str:
    terms = [
        " + ".join(f'({w})*$(at["{n}"])' for n, w in zip(COLUMNS, column, strict=True)) for column in WEIGHTS[task].T
    ]
    if task == "regression":
        return _AWK.format(header="prediction", lines=f'printf "%.12g\\n", {terms[0]}')
    names = CLASSES[task]
    raised = "; ".join(f"e{k} = exp({term})" for k, term in enumerate(terms))
    total = " + ".join(f"e{k}" for k in range(len(names)))
    shown = ", ".join(f"e{k} / s" for k in range(len(names)))
    form = ",".join(["%.12g"] * len(names))
    return _AWK.format(
        header=",".join(f"p:{name}" for name in names), lines=f'{raised}; s = {total}; printf "{form}\\n", {shown}'
    )


def _onnx(place: Path, task: str) -> None:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression, LogisticRegression

    example = np.zeros((1, 3), dtype=np.float32)
    model: Any
    if task == "regression":
        model = LinearRegression()
        model.coef_, model.intercept_, model.n_features_in_ = WEIGHTS[task][:, 0], 0.0, 3
        options: dict[Any, Any] = {}
    else:
        model = LogisticRegression()
        weights = WEIGHTS[task].T
        model.coef_ = weights[1:] if task == "binary" else weights
        model.intercept_ = np.zeros(len(model.coef_))
        model.classes_, model.n_features_in_ = np.array(CLASSES[task]), 3
        options = {id(model): {"zipmap": False}}
    place.write_bytes(to_onnx(model, example, options=options, target_opset=18).SerializeToString())


@contextlib.contextmanager
def application(root: Path, kind: str, task: str) -> Iterator[Path]:
    """Write an application of a kind and a task; its server, if it has one, runs until the end."""
    root.mkdir(parents=True)
    frames = {name: rows(task, seed) for name, seed in (("train", 1), ("test", 2))}
    for name, frame in frames.items():
        frame.to_csv(root / f"{name}.csv", index=False)
    classes = {"classes": list(CLASSES[task])} if CLASSES[task] else {}
    with contextlib.ExitStack() as stack:
        model: dict[str, Any] = {}
        if kind == "factory":
            text = _FACTORY.format(weights=WEIGHTS[task].tolist(), classes=list(CLASSES[task]))
            (root / "scorer.py").write_text(text, encoding="utf-8")
            model = {"factory": "scorer:load"}
        elif kind == "torch":
            _torch(root, task)
            model = {"factory": "net:build", "path": "model.safetensors", **classes}
        elif kind == "onnx":
            _onnx(root / "model.onnx", task)
            model = {"path": "model.onnx"}
        elif kind in ("rest", "grpc"):
            served = root.parent / f"{root.name}.onnx"
            _onnx(served, task)
            model = {"endpoint": stack.enter_context(Running(Served(served), kind)).url}
        elif kind == "predictions":
            test = frames["test"]
            given = scores(task, test)
            table = (
                pd.DataFrame({"prediction": given})
                if task == "regression"
                else pd.DataFrame(given, columns=[f"p:{name}" for name in CLASSES[task]])
            )
            table.to_csv(root / "answers.csv", index=False)
            model = {"predictions": "answers.csv"}
        elif kind == "command":
            (root / "model.awk").write_text(_awk(task), encoding="utf-8")
            model = {"command": ["awk", "-f", "model.awk"]}
        manifest = {
            "fivefold": 1,
            "application": {"id": f"{kind}-{task}", "level": LEVEL, "purpose": "try every kind"},
            "use": {"output": "recommendation", "acts": "human"},
            "data": {
                "train": {"path": "train.csv", "target": "y", "protected": ["group"], "drop": ["group"]},
                "test": {"path": "test.csv"},
            },
            "model": model,
        }
        (root / "fivefold.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
        yield root


def _torch(root: Path, task: str) -> None:
    import torch
    from safetensors.torch import save_file

    outputs = WEIGHTS[task].shape[1]
    (root / "net.py").write_text(_NET.format(outputs=outputs), encoding="utf-8")
    weight = torch.tensor(WEIGHTS[task].T.copy(), dtype=torch.float32)
    save_file({"weight": weight, "bias": torch.zeros(outputs)}, str(root / "model.safetensors"))


LEVEL = 4
"""Of these applications; those in memory have none, and run every check."""


def higher() -> dict[str, tuple[str, str]]:
    """Return the checks that levels above :data:`LEVEL` alone need, as not run, with that reason."""
    known, least = load(), dict[str, int]()
    for claim in known.claims:
        for check in (check.id for some in claim.needs for token in some for check in known.members(token)):
            least[check] = min(claim.level, least.get(check, claim.level))
    for level in range(5, LEVEL, -1):
        least |= dict.fromkeys(unnamed(known, level) - unnamed(known, level - 1), level)
    return {check: ("not-run", f"Needed from level {level} on.") for check, level in least.items() if level > LEVEL}


def planned(root: Path) -> dict[str, tuple[str, str]]:
    """Return check id to status and reason, as ``fivefold plan --probe`` states them."""
    done = subprocess.run(
        [sys.executable, "-m", "fivefold", "plan", str(root), "--probe", "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, "XDG_STATE_HOME": str(root.parent / "state")},
    )  # fmt: skip
    if done.returncode not in (0, 3):
        raise AssertionError(done.stderr[-2000:])
    states = {item["check"]: (item["status"], item.get("reason", "")) for item in json.loads(done.stdout)["checks"]}
    return higher() | states


def in_memory(task: str) -> dict[str, tuple[str, str]]:
    """Return the same for the object in memory."""
    from fivefold.assess import assess_model

    frames = {name: rows(task, seed) for name, seed in (("train", 1), ("test", 2))}
    done = assess_model(Memory(task), target="y", protected=["group"], drop=["group"], **frames)
    ran = {item.check: ("run", "") for item in done.findings}
    return ran | {check: ("not-run", reason) for check, reason in done.skipped.items()}


def table(task: str, cells: dict[str, dict[str, tuple[str, str]]]) -> tuple[str, list[str]]:
    """Return the Markdown table of a task, and the cells without a reason.

    Args:
        task: The task.
        cells: Kind to check to status and reason.
    """
    from fivefold.contract.registry import checks

    reasons: dict[str, int] = {}
    gaps, lines = [], [f"### {task}", "", f"| check | {' | '.join(cells)} |", f"|---|{'---|' * len(cells)}"]
    for check in sorted(checks()):
        shown = []
        for kind, states in cells.items():
            status, reason = states.get(check, ("", ""))
            if status == "run":
                shown.append("run")
                continue
            if not status or not reason:
                gaps.append(f"{check} on {kind}, {task}")
            shown.append(f"({reasons.setdefault(reason, len(reasons) + 1)})")
        lines.append(f"| `{check}` | {' | '.join(shown)} |")
    return "\n".join([*lines, "", *(f"({number}) {reason}  " for reason, number in reasons.items()), ""]), gaps


def main() -> int:
    """Print the table; exit code 1 if a cell has no reason."""
    gaps: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for task in TASKS:
            cells = {}
            for kind in KINDS:
                if kind == "memory":
                    cells[kind] = in_memory(task)
                    continue
                with application(Path(folder) / f"{kind}-{task}", kind, task) as root:
                    cells[kind] = planned(root)
            text, open_ = table(task, cells)
            gaps += open_
            print(text)  # noqa: T201
    if gaps:
        print("Without a reason:", *gaps, sep="\n")  # noqa: T201
    return int(bool(gaps))


if __name__ == "__main__":
    sys.exit(main())
