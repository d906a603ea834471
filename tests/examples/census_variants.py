"""The census with one of its controls off, or with bad data in it: which check says so, and which claim it blocks."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

CENSUS = Path(__file__).resolve().parents[2] / "examples" / "census"


@dataclass(frozen=True)
class Variant:
    """One change.

    Attributes:
        claim: That it blocks.
        check: That says so; empty: a fault of the plan.
        outcomes: What the check may say; a measured fail, or what satisfies nothing for want of the control.
        manifest: Changes the manifest's document.
        rows: Changes the census.
    """

    claim: str
    check: str
    outcomes: tuple[str, ...]
    manifest: Callable[[dict[str, Any]], object] | None = None
    rows: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame] | None = None


def _made_up(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    bad = rng.random(len(rows)) < 0.1
    return rows.assign(**{name: rows[name].mask(bad, pd.Series(rng.choice(rows[name].dropna().unique(), len(rows)),
                                                               index=rows.index)) for name in rows})  # fmt: skip


def _copied(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return pd.concat([rows, rows.iloc[rng.choice(len(rows), len(rows) // 12, replace=False)]])


def _fewer_women(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return rows[(rows["sex"] == "Male") | (rng.random(len(rows)) < 0.5)]


NOT_RUN = ("not-run", "error")
VARIANTS = {
    "nothing is declared of S2": Variant("1a", "S2.release", NOT_RUN, lambda told: told["controls"].pop("S2")),
    "no budget": Variant("1a", "S2.ledger", NOT_RUN, lambda told: told["controls"]["S2"].pop("epsilon")),
    "no source to count against": Variant("1a", "S2.ledger", NOT_RUN, lambda told: told["data"]["train"].pop("source")),
    "three releases": Variant("1a", "S2.ledger", ("fail",), lambda told: told["controls"]["S2"].update(times=3)),
    "figures drowned in noise": Variant(
        "1a", "S2.utility", ("fail",), lambda told: told["controls"]["S2"]["release"]["loss"].update(epsilon=0.002)
    ),
    "nothing is declared of S5": Variant("1b", "S5.stream", NOT_RUN, lambda told: told["controls"].pop("S5")),
    "no filter": Variant("1b", "S5.removals", NOT_RUN, lambda told: told["controls"]["S5"].update(filter=False)),
    "no intake": Variant("1b", "S5.stream", NOT_RUN, lambda told: told["controls"]["S5"].pop("intake")),
    "a tenth of the rows made up": Variant("1b", "S5.outliers", ("fail",), rows=_made_up),
    "a twelfth of the rows copied": Variant("1b", "D2.integrity", ("fail",), rows=_copied),
    "half of the women left out": Variant("1b", "D2.coverage", ("fail",), rows=_fewer_women),
}  # fmt: skip


def made(folder: Path, variant: Variant | None = None, seed: int = 0) -> Path:
    """Return a copy of the example, changed."""
    shutil.copytree(CENSUS, folder, ignore=shutil.ignore_patterns("evidence"))
    if variant and variant.manifest:
        file = folder / "fivefold.yaml"
        told = yaml.safe_load(file.read_text())
        variant.manifest(told)
        file.write_text(yaml.safe_dump(told, sort_keys=False))
    if variant and variant.rows:
        file = folder / "data" / "train.csv"
        variant.rows(pd.read_csv(file), np.random.default_rng(seed)).to_csv(file, index=False)
    return folder
