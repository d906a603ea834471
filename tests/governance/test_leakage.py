"""D2.leakage: twenty disguises of the answer, each found; honest columns, even telling ones, not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth.floors import floors
from tests.truth.subjects import context, filler

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView, Table
from fivefold.stats.auc import delong

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fivefold.contract.finding import Result

    Disguise = Callable[[np.ndarray, np.random.Generator], dict[str, object]]

CHECK = "D2.leakage"
ROWS = 3000


def measured(features: pd.DataFrame, target: np.ndarray, seed: int = 1) -> Result:
    """Run the check on rows parted into training and test data."""
    cut = int(0.7 * len(target))
    tables = {}
    for name, part in (("train", slice(0, cut)), ("test", slice(cut, None))):
        frame = features.iloc[part].reset_index(drop=True)
        rows = np.arange(len(frame), dtype=np.int64)
        tables[name] = Table(name, rows, frame, target[part], pd.DataFrame(index=frame.index))
    return resolve(CHECK)(context(CHECK, None, tables, seed, thresholds=floors(CHECK), settings=SettingsView()))


def base(seed: int) -> tuple[pd.DataFrame, np.random.Generator]:
    """Return honest columns of mixed kinds."""
    rng = np.random.default_rng(seed)
    return filler(rng, ROWS, 9), rng


def _texts(y: np.ndarray, rng: np.random.Generator) -> list[str]:
    subjects = ("the client", "our customer", "a caller", "somebody")
    ends = ("asked about a loan", "wrote twice", "came on Monday", "called from abroad")
    said = np.array(["was content", "has since left"], dtype=object)[y]
    return [f"{subjects[a]} {one} and {ends[b]} {n}" for one, a, b, n in zip(
        said, rng.integers(0, 4, len(y)), rng.integers(0, 4, len(y)), rng.integers(0, 10**6, len(y)), strict=True
    )]  # fmt: skip


def _days(y: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Cases of one class were entered on another day of the week."""
    weeks = rng.integers(0, 300, len(y))
    start = pd.Timestamp("2018-01-01")
    return [
        (start + pd.Timedelta(days=int(7 * w + (2 if one else 4)))).strftime("%d.%m.%Y")
        for w, one in zip(weeks, y, strict=True)
    ]


def _after(y: np.ndarray, rng: np.random.Generator) -> list[str]:
    """The date of the outcome: late where there was one."""
    days = np.where(y == 1, rng.integers(400, 700, len(y)), rng.integers(0, 380, len(y)))
    return [(pd.Timestamp("2020-01-01") + pd.Timedelta(days=int(day))).strftime("%Y-%m-%d") for day in days]


def _noisy(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """AUC about 0.997."""
    return y + rng.normal(size=len(y)) * 0.255


def _hashed(y: np.ndarray, rng: np.random.Generator) -> list[str]:
    """A digest of the answer and one of eight salts."""
    return [
        hashlib.sha256(f"{a}{b}".encode()).hexdigest()[:10] for a, b in zip(y, rng.integers(0, 8, len(y)), strict=True)
    ]


def _xor(y: np.ndarray, rng: np.random.Generator) -> dict[str, object]:
    bit = rng.integers(0, 2, len(y))
    return {"a": bit, "b": bit ^ y}


def _sum(y: np.ndarray, rng: np.random.Generator) -> dict[str, object]:
    """Two amounts whose sum is above a limit in one class alone."""
    total = np.where(y == 1, rng.uniform(1010, 2000, len(y)), rng.uniform(0, 990, len(y)))
    one = rng.normal(0, 3000, len(y))
    return {"paid": one, "owed": total - one}


def _spread(y: np.ndarray, rng: np.random.Generator) -> dict[str, object]:
    """A category with twelve values of which each belongs to one class, as twelve columns of 0 and 1."""
    code = 2 * rng.integers(0, 6, len(y)) + y
    return {"state": np.array([f"s{k}" for k in range(12)], dtype=object)[code]}


DISGUISES: dict[str, Disguise] = {
    "renamed": lambda y, _r: {"region": y},
    "scaled": lambda y, _r: {"x": 1e6 - 3.7 * y},
    "turned": lambda y, _r: {"x": 1 - y},
    "permuted codes": lambda y, r: {"x": np.where(y == 1, r.choice([3, 8, 12], len(y)), r.choice([1, 5, 19], len(y)))},
    "texts": lambda y, _r: {"x": np.array(["Nein", "Ja"], dtype=object)[y]},
    "numbers as texts": lambda y, _r: {"x": [f"00{one}" for one in y]},
    "with noise": lambda y, r: {"x": _noisy(y, r)},
    "logarithm": lambda y, r: {"x": np.log1p(np.exp(5 * y + r.uniform(0, 0.4, len(y))))},
    "not in order": lambda y, r: {"x": (1 - y) * r.choice([-4, 4], len(y)) + r.normal(size=len(y)) * 0.2},
    "last decimals": lambda y, r: {"price": r.integers(1, 500, len(y)) + np.where(y == 1, 0.99, 0.50)},
    "odd or even": lambda y, r: {"number": 2 * r.integers(0, 10**6, len(y)) + y},
    "missing": lambda y, r: {"x": np.where(y == 1, np.nan, r.normal(size=len(y)))},
    "ordered id": lambda y, _r: {"id": np.argsort(np.argsort(y, kind="stable"), kind="stable") + 70_000},
    "hashed": lambda y, r: {"token": _hashed(y, r)},
    "a date after the fact": lambda y, r: {"closed": _after(y, r)},
    "day of the week": lambda y, r: {"entered": _days(y, r)},
    "a word in a text": lambda y, r: {"note": _texts(y, r)},
    "blanks": lambda y, r: {"code": np.char.add(r.choice(["AB", "CD", "EF"], len(y)), np.where(y == 1, " ", ""))},
    "capitals": lambda y, r: {"town": np.where(y == 1, r.choice(["ULM", "KIEL"], len(y)), "ulm")},
    "parted over two columns": _xor,
    "a sum of two": _sum,
    "a category": _spread,
}  # fmt: skip


def test_there_are_twenty_disguises_and_more() -> None:
    """The demand is twenty."""
    assert len(DISGUISES) >= 20


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguised_answer_is_found(name: str) -> None:
    """Each disguise fails the check, and its column is the one that is named."""
    frame, rng = base(len(name))
    y = (rng.random(ROWS) < 0.3).astype(np.int64)
    hidden = pd.DataFrame(DISGUISES[name](y, rng), index=frame.index)
    at = int(rng.integers(frame.shape[1]))
    mixed = pd.concat([frame.iloc[:, :at], hidden, frame.iloc[:, at:]], axis=1)
    result = measured(mixed, y)
    assert result.outcome is Outcome.FAIL, result.reason
    failed = [measure.where for measure in result.measures if measure.outcome is Outcome.FAIL]
    assert all(any(column in where for column in hidden.columns) for where in failed), failed


@pytest.mark.parametrize("name", ["one-hot", "codes", "digits"])
def test_several_classes(name: str) -> None:
    """Five classes: spread over columns of 0 and 1, coded, or in the last digit of a number."""
    frame, rng = base(3)
    y = rng.integers(0, 5, ROWS)
    hidden: dict[str, object] = {"codes": rng.permutation(5)[y], "digits": 10 * rng.integers(0, 900, ROWS) + y}
    columns = {f"is_{k}": (y == k).astype(int) for k in range(5)} if name == "one-hot" else {"x": hidden[name]}
    result = measured(frame.assign(**columns), y)
    assert result.outcome is Outcome.FAIL, result.reason


@pytest.mark.parametrize("name", ["scaled", "cube", "rounded", "difference", "text"])
def test_a_value(name: str) -> None:
    """A regression: under another unit, bent, rounded, as a difference of two columns, or written into a text."""
    frame, rng = base(4)
    y = rng.lognormal(3, 0.5, ROWS)
    part = rng.normal(0, 50, ROWS)
    hidden: dict[str, dict[str, object]] = {
        "scaled": {"x": y * 0.3048 + 2},
        "cube": {"x": (y - 20) ** 3},
        "rounded": {"x": y.round(1)},
        "difference": {"before": part, "after": part + y},
        "text": {"x": [f"{one:.4f}" for one in y]},
    }
    result = measured(frame.assign(**hidden[name]), y)
    assert result.outcome is Outcome.FAIL, result.reason


@pytest.mark.parametrize("goal", [0.9, 0.95, 0.98])
def test_an_honest_column_that_tells_much_is_not_flagged(goal: float) -> None:
    """Single columns with an AUC of up to 0.98."""
    from scipy.stats import norm

    frame, rng = base(5)
    y = (rng.random(ROWS) < 0.4).astype(np.int64)
    frame["x"] = y * np.sqrt(2) * norm.ppf(goal) + rng.normal(size=ROWS)
    assert delong(frame["x"][y == 1], frame["x"][y == 0])[0] == pytest.approx(goal, abs=0.01)
    result = measured(frame, y)
    assert result.outcome is not Outcome.FAIL, result.reason


def test_several_honest_columns_that_tell_nearly_all_together_are_not_flagged() -> None:
    """Ten columns of AUC 0.9: a model is nearly always right, and nothing leaks."""
    frame, rng = base(6)
    y = (rng.random(ROWS) < 0.5).astype(np.int64)
    for k in range(10):
        frame[f"h{k}"] = 1.8 * y + rng.normal(size=ROWS)
    result = measured(frame, y)
    assert result.outcome is Outcome.PASS, result.reason


def test_test_rows_with_one_cell_changed_are_found() -> None:
    """Every tenth test row is a training row with one number altered."""
    frame, rng = base(7)
    frame["fine"] = rng.normal(size=ROWS)
    frame["finer"] = rng.normal(size=ROWS)
    y = (rng.random(ROWS) < 0.4).astype(np.int64)
    copied = np.arange(2100, 3000, 10)
    frame.iloc[copied] = frame.iloc[copied - 2100].to_numpy()
    frame = frame.infer_objects()
    whole = measured(frame, y)
    assert whole.outcome is Outcome.FAIL
    frame.loc[frame.index[copied], "fine"] += 0.5
    changed = measured(frame, y)
    assert changed.outcome is Outcome.FAIL, changed.reason


def test_few_values_repeat_by_chance() -> None:
    """Three columns of two values: nearly all test rows stand in the training data, and nobody copied them."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.integers(0, 2, (ROWS, 3)), columns=["a", "b", "c"])
    y = (rng.random(ROWS) < 0.4).astype(np.int64)
    assert measured(frame, y).outcome is Outcome.PASS


def test_the_same_bytes_twice() -> None:
    """Deterministic, and the data stay as they were."""
    from fivefold.contract.codec import canonical

    frame, rng = base(9)
    y = (rng.random(ROWS) < 0.4).astype(np.int64)
    before = frame.copy()
    assert canonical(measured(frame, y)) == canonical(measured(frame, y))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.shared
def test_real_data_do_not_leak_until_a_leak_is_planted(shared: Path) -> None:
    """The census data pass; with the answer in the decimals of a weight they fail, and the weight is named."""
    frame = pd.read_csv(shared / "adult_census" / "train.csv.gz")
    target = frame.columns[-1]
    y = (frame.pop(target).astype(str).str.contains(">")).to_numpy().astype(np.int64)
    result = measured(frame, y)
    assert result.outcome is Outcome.PASS, result.reason
    weight = frame.select_dtypes("number").columns[1]
    frame[weight] = frame[weight].astype(float) + np.where(y == 1, 0.25, 0.5)
    planted = measured(frame, y)
    assert planted.outcome is Outcome.FAIL
    assert weight in planted.reason


def test_what_has_no_two_answers_is_refused() -> None:
    """One class alone, or hardly a row with an answer."""
    from fivefold.errors import UnsupportedError

    frame, _ = base(10)
    with pytest.raises(UnsupportedError) as caught:
        measured(frame, np.zeros(ROWS, dtype=np.int64))
    assert caught.value.code == "quality.target"
    with pytest.raises(UnsupportedError):
        measured(frame, np.full(ROWS, -1, dtype=np.int64))


@pytest.mark.parametrize("leaks", [False, True])
def test_a_rare_class_does_not_leave_every_column_open(leaks: bool) -> None:
    """A third class of a dozen rows is left out of the questions, and that is said."""
    features, rng = base(11)
    target = rng.integers(0, 2, ROWS)
    target[rng.choice(ROWS, 12, replace=False)] = 2
    if leaks:
        features = features.assign(hidden=-2.5 * target + 3)
    found = measured(features, target)
    assert found.outcome is (Outcome.FAIL if leaks else Outcome.PASS), found.reason
    assert any("rarest of 3 classes" in limit for limit in found.limits)
