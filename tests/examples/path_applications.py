"""Applications that share by other paths than releases: encrypted rows, a federation, reports of devices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

if TYPE_CHECKING:
    from pathlib import Path

SITES = ("cleveland", "hungarian", "switzerland", "va")
COLUMNS = [
    "age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal",
    "num",
]  # fmt: skip


def _written(folder: Path, rows: pd.DataFrame, what: str, controls: dict[str, Any], target: str) -> Path:
    (folder / "data").mkdir(parents=True)
    rows.to_csv(folder / "data" / "train.csv", index=False)
    told = {
        "fivefold": 1,
        "application": {"id": f"shares-{what}", "level": 1, "purpose": "counts that two houses need"},
        "use": {"output": "statistic", "acts": "human", "alone": False},
        "parties": {"deployer": "House A", "data-collector": "House A"},
        "data": {"train": {"path": "data/train.csv", "target": target, "source": "House A"}},
        "sharing": [{"what": what, "data": "train", "with": "House B", "control": next(iter(controls))}],
        "controls": controls,
    }
    (folder / "fivefold.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    return folder


def encrypted(folder: Path, seed: int = 0, *, train: bool = True, **options: Any) -> Path:
    """Write an application that has rows scored by trees, and a regression learned, while they stay encrypted."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"age": rng.integers(18, 90, 4000), "hours": rng.integers(0, 80, 4000)})
    rows["over"] = np.where(rows["hours"] + rng.normal(size=4000) * 8 > 45, "yes", "no")
    columns = {"age": {"bounds": [18, 90]}, "hours": {"bounds": [0, 80]}}
    training = {"target": "over", "positive": "yes", "columns": columns, "steps": 3}
    controls = {"model": "scorer.json", **({"training": training} if train else {}), **options}
    made = _written(folder, rows, "encrypted", {"S4": controls}, "over")
    scorer = {
        "version": 1, "kind": "trees", "weights": [0.1],
        "columns": {"age": {"edges": [0, 30, 60, 120]}, "hours": {"edges": [0, 20, 45, 100]}},
        "trees": [{"column": "hours", "below": 45, "yes": {"column": "age", "below": 30, "yes": 0.2, "no": -0.4},
                   "no": {"column": "age", "below": 60, "yes": 1.0, "no": 0.6}}],
    }  # fmt: skip
    (made / "scorer.json").write_text(json.dumps(scorer))
    return made


def hospitals(folder: Path, shared: Path, **options: Any) -> Path:
    """Write the application of the patients of four hospitals, whose twenty wards train together."""
    parts = [
        pd.read_csv(shared / "heart_disease_4sites" / f"processed.{site}.data", names=COLUMNS, na_values="?").assign(
            site=site
        )
        for site in SITES
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows["num"] = np.where(rows["num"] > 0, "ill", "well")
    told = {"clients": 20, "rounds": 40, "robust": "median", "cohorts": 5, "malicious": 0.1, **options}
    return _written(folder, rows, "federated", {"S3": told}, "num")


def devices(folder: Path, seed: int = 0, **options: Any) -> Path:
    """Write an application of devices that report a browser, hours of use and an old flag, under noise of their own."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"hours": rng.gamma(3, 1.2, 20_000).clip(0, 12).round(1)})
    rows["browser"] = rng.choice(["fire", "chrome", "edge", "lynx"], 20_000, p=[0.3, 0.45, 0.2, 0.05])
    rows["old"] = np.where(rng.random(20_000) < 0.2, "yes", "no")
    collect = [
        {"column": "browser", "as": "frequency", "values": ["fire", "chrome", "edge", "lynx"], "way": "hadamard"},
        {"column": "hours", "as": "mean", "range": [0, 12]},
    ]
    return _written(folder, rows, "telemetry", {"S6": {"epsilon": 2.0, "collect": collect, **options}}, "old")
