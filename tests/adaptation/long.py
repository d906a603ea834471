"""Full run of C3's promise: 400 calibration sets whose true risk is known; writes docs/figures/fallback.md.

    python -m tests.adaptation.long

MAPIE 1.6 is compared where it is installed: the same certainties, risk and delta.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fivefold.adaptation.fallback.risk import NOTHING, controlled

REPO = Path(__file__).resolve().parents[2]
ALLOWED = {0.1: 49, 0.05: 27}
"""Delta to how many sets may be over the risk: about the 95 % quantile of a binomial of that rate."""
SETS, COMPARED, KNOWN = 400, 100, 1_000_000
Errors = Callable[[np.ndarray], np.ndarray]
MODELS: dict[str, Errors] = {
    "errors fall with the square of the certainty": lambda sure: 0.4 * (1 - sure) ** 2,
    "errors fall slowly": lambda sure: 0.12 - 0.1 * sure,
    "a step": lambda sure: np.where(sure > 0.6, 0.01, 0.3),
    "twelve degrees of certainty": lambda sure: 0.4 * (1 - np.floor(12 * sure) / 12) ** 2,
    "errors hidden in the middle": lambda sure: np.where(np.abs(sure - 0.7) < 0.05, 0.3, 0.25 * (1 - sure)),
}


def certainty(rng: np.random.Generator, rows: int, name: str) -> np.ndarray:
    """Return (rows,) certainties."""
    drawn = rng.random(rows)
    return np.floor(12 * drawn) / 12 if name.startswith("twelve") else drawn


class Truth:
    """Risk and answered share of every threshold, from a million rows."""

    def __init__(self, name: str) -> None:
        sure = np.sort(certainty(np.random.default_rng(0), KNOWN, name))[::-1]
        self._sure, self._errors = sure, np.cumsum(MODELS[name](sure))

    def __call__(self, threshold: float) -> tuple[float, float]:
        count = int(np.searchsorted(-self._sure, -threshold, side="right"))
        return (float(self._errors[count - 1] / count) if count else 0.0), count / KNOWN


def mapie() -> Any:
    """Return MAPIE's controller; None: it is not installed."""
    try:
        from mapie.risk_control import BinaryClassificationController
    except ImportError:
        return None
    return BinaryClassificationController


def theirs(controller: Any, sure: np.ndarray, wrong: np.ndarray, risk: float, delta: float) -> float:
    """Return the lowest threshold that MAPIE's controller finds valid for a precision of 1 - risk."""
    made = controller(
        lambda rows: np.column_stack([1 - rows[:, 0], rows[:, 0]]),
        "precision",
        1 - risk,
        confidence_level=1 - delta,
        list_predict_params=np.unique(np.quantile(sure, np.linspace(0, 0.99, 100))),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made.calibrate(sure[:, None], (~wrong).astype(int))
        except ValueError:
            return NOTHING
    found = np.ravel(made.valid_predict_params)
    return float(found.min()) if len(found) else NOTHING


def row(name: str, rows: int, risk: float, delta: float, controller: Any) -> list[str]:
    """Return one line of the table."""
    truth, exceeded = Truth(name), 0
    ours: list[float] = []
    other: list[float] = []
    for seed in range(SETS):
        rng = np.random.default_rng([seed, rows])
        sure = certainty(rng, rows, name)
        wrong = rng.random(rows) < MODELS[name](sure)
        found, answered = truth(controlled(sure, wrong, risk=risk, delta=delta).threshold)
        exceeded += found > risk
        if seed < COMPARED:
            ours.append(answered)
            if controller is not None:
                other.append(truth(theirs(controller, sure, wrong, risk, delta))[1])
    allowed = ALLOWED[delta]
    peer = f"{np.mean(other):.3f}" if other else "not compared"
    met = exceeded <= allowed and (not other or np.mean(ours) >= np.mean(other) - 0.02)
    shown = [
        name,
        f"{rows:,}",
        f"{risk:g}",
        f"{delta:g}",
        f"{exceeded} (at most {allowed})",
        f"{np.mean(ours):.3f}",
        peer,
    ]
    return [*shown, "met" if met else "missed"]


def main() -> None:
    """Run it."""
    controller = mapie()
    lines = [
        row(name, rows, risk, delta, controller)
        for name in MODELS
        for rows in (500, 2000)
        for risk, delta in ((0.05, 0.1), (0.05, 0.05), (0.1, 0.1))
    ]
    code = hashlib.sha256((REPO / "src/fivefold/adaptation/fallback/risk.py").read_bytes()).hexdigest()[:16]
    head = ["model", "rows", "risk", "delta", f"sets of {SETS} over the risk", "answered", "MAPIE answers", ""]
    intro = (
        f"{SETS} calibration sets a line, seeds 0 to {SETS - 1}; the true risk of a threshold is known from a million "
        f"certainties. Answered shares over the first {COMPARED} sets, for the same certainties, risk and delta; MAPIE "
        f"1.6: `BinaryClassificationController`, precision, its thresholds at each hundredth of the rows (those it has "
        f"by itself lie where no row is, and then it finds none). Code `{code}`."
    )
    page = [
        "# Fallback: the promise about the risk", "",
        intro, "",
        f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(line)} |" for line in lines), "",
    ]  # fmt: skip
    (REPO / "docs" / "figures" / "fallback.md").write_text("\n".join(page), encoding="utf-8")
    print("\n".join(page))  # noqa: T201


if __name__ == "__main__":
    main()
