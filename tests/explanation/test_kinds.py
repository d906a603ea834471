"""The checks on images, series, hard tables, small budgets; what cannot be explained says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth import explanation_local as truth
from tests.truth.floors import floors
from tests.truth.subjects import context, filler, table

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import checks, resolve
from fivefold.contract.subject import Capabilities, SettingsView, Subject, Table
from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context

ONES = (
    "E2.shapley", "E2.surrogate", "E4.planted", "E4.randomisation", "E4.fidelity", "E4.stability", "E4.agreement",
    "E4.fooling",
)  # fmt: skip
CHECKS = (
    "E2.local", "E2.counterfactual", "E3.dependence", "E3.permutation", "E3.sensitivity", "E3.surrogate", *ONES,
)  # fmt: skip
TABLES = ("E2.counterfactual", "E3.dependence", "E3.sensitivity", "E3.surrogate")
WHOLE = tuple(one for one in CHECKS if one not in TABLES)
"""Checks that only swap whole cells; others are held to possible rows, and to 300 columns, in files of their own."""


@dataclass
class Asked:
    """A function of a table that keeps what it was asked."""

    answer: Callable[[Table], np.ndarray]
    task: str = "binary"
    classes: tuple[str, ...] = ("no", "yes")
    able: Capabilities = field(default_factory=lambda: Capabilities(scores=True, retrains=False, perturbable=True))
    seen: list[Table] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return self.able

    def predict_proba(self, asked: Table) -> np.ndarray:
        self.seen.append(asked)
        return self.answer(asked)

    def predict(self, asked: Table) -> np.ndarray:
        self.seen.append(asked)
        made = self.answer(asked)
        return made if self.task == "regression" else made.argmax(axis=1)

    def retrain(self, asked: Table, seed: int) -> Subject:
        raise UnsupportedError("test.retrain", "no training.")


def given(check: str, subject: object, tables: dict[str, Table], **options: object) -> Context:
    return context(
        check,
        subject,  # type: ignore[arg-type]
        tables,
        3,
        thresholds=floors(check),
        settings=SettingsView(),
        options=dict(options),
        effort="quick",
    )


def chance(score: np.ndarray) -> np.ndarray:
    one = 1 / (1 + np.exp(-score))
    return np.column_stack([1 - one, one])


def arrays(kind: str, n: int = 300) -> tuple[Asked, dict[str, Table]]:
    """Return a model that looks at one part of the input only, and its data."""
    rng = np.random.default_rng(2)
    shape = {"image": (n, 3, 12, 12), "series": (n, 2, 48), "audio": (n, 480)}[kind]
    inputs = rng.integers(0, 256, shape).astype(np.uint8) if kind == "image" else rng.normal(size=shape)
    inputs = inputs if kind == "image" else inputs.astype(np.float32)
    bright = rng.normal(size=n)
    if kind == "image":
        inputs[:, :, :3, :3] = np.clip(128 + 40 * bright, 0, 255).astype(np.uint8)[:, None, None, None]
    else:
        inputs[..., : shape[-1] // 12] = bright.reshape(n, *[1] * (len(shape) - 1))

    def answer(asked: Table) -> np.ndarray:
        part = np.asarray(asked.inputs, dtype=float)
        part = (part[:, :, :3, :3] - 128) / 40 if kind == "image" else part[..., : shape[-1] // 12]
        return chance(3 * part.reshape(len(part), -1).mean(axis=1))

    target = (rng.random(n) < chance(3 * bright)[:, 1]).astype(np.int64)
    made = table("test", pd.DataFrame(index=pd.RangeIndex(n)), target)
    return Asked(answer), {"test": replace(made, inputs=inputs, kind=kind)}  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["image", "series", "audio"])
def test_the_patch_or_window_that_the_model_looks_at_is_the_reason(kind: str) -> None:
    """Images by patches, series and recordings by windows: the one in use is named by E2 and E3, at its share."""
    subject, tables = arrays(kind)
    first = "patch row 1, column 1" if kind == "image" else "window 1 of 12"
    local = resolve("E2.local")(given("E2.local", subject, tables))
    assert local.outcome is Outcome.PASS, local.reason
    assert [m.where for m in local.measures if m.name.startswith("mean size")] == [first]
    overall = resolve("E3.permutation")(given("E3.permutation", subject, tables))
    shares = {m.where: m for m in overall.measures if m.name == "importance"}
    assert overall.outcome is Outcome.PASS, overall.reason
    assert shares[first].value == pytest.approx(1.0, abs=0.1)
    assert all(abs(m.value or 0) < 1e-9 and (m.high or 0) < 0.05 for where, m in shares.items() if where != first)
    assert all(asked.inputs is not None and asked.inputs.dtype == tables["test"].inputs.dtype for asked in subject.seen)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["image", "series"])
@pytest.mark.parametrize("check", ONES)
def test_explanations_of_arrays_are_measured(kind: str, check: str) -> None:
    """What measures explanations works on patches and windows."""
    subject, tables = arrays(kind)
    result = resolve(check)(given(check, subject, tables))
    assert result.outcome is Outcome.PASS, result.reason


def hard(n: int = 400) -> tuple[Asked, dict[str, Table]]:
    """Return a model over texts, dates, truth values, nullable and missing cells, and its data."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "amount": rng.normal(100, 30, n),
            "town": np.array(["north", "south", "east", None], dtype=object)[rng.integers(0, 4, n)],
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "member": rng.random(n) < 0.5,
            "score": np.where(rng.random(n) < 0.2, np.nan, rng.random(n)),
            "count": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "id": [f"row {i}" for i in range(n)],
            "same": "always",
        }
    )
    frame.loc[::7, "since"] = pd.NaT
    frame.loc[::9, "count"] = pd.NA

    def answer(asked: Table) -> np.ndarray:
        part = asked.features
        total = (part["amount"] - 100) / 30 + np.where(part["town"].astype(object) == "north", 1.5, 0.0)
        total = total + np.where(part["since"].isna(), 1.0, 0.0) - part["member"].astype(float)
        return chance(np.asarray(total + part["score"].fillna(0.5) + part["count"].fillna(0).astype(float) / 2 - 1))

    made = table("test", frame, np.zeros(n, dtype=np.int64))
    target = (rng.random(n) < answer(made)[:, 1]).astype(np.int64)
    return Asked(answer), {"test": replace(made, target=target)}


@pytest.mark.parametrize("check", WHOLE)
def test_only_whole_cells_that_occur_are_asked(check: str) -> None:
    """Texts, dates, truth values, nullable integers and missing cells: dtypes are kept and no cell is made up."""
    subject, tables = hard()
    result = resolve(check)(given(check, subject, tables))
    assert result.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}, result.reason
    original = tables["test"].features
    for asked in subject.seen:
        assert list(asked.features.dtypes) == list(original.dtypes)
    for name in original.columns:
        cells = pd.concat([asked.features[name] for asked in subject.seen])
        assert set(cells.dropna()) <= set(original[name].dropna())


@pytest.mark.parametrize("check", CHECKS)
def test_same_context_gives_the_same_bytes(check: str) -> None:
    """A second run with the same seed writes the same result, and the data are left as they were."""
    subject, tables = hard(200)
    before = tables["test"].features.copy()
    one, two = (resolve(check)(given(check, subject, tables)) for _ in range(2))
    assert canonical(one) == canonical(two)
    pd.testing.assert_frame_equal(before, tables["test"].features)


@pytest.mark.parametrize("check", CHECKS)
def test_budget_of_an_endpoint_is_kept(check: str) -> None:
    """Half of the calls left are not exceeded, and calls carry no more rows than allowed."""
    subject, tables = hard()
    subject.able = Capabilities(scores=True, retrains=False, perturbable=True, max_rows=50, calls_left=400)
    resolve(check)(given(check, subject, tables))
    assert max(len(asked) for asked in subject.seen) <= 50
    assert len(subject.seen) <= 200


@pytest.mark.parametrize("check", CHECKS)
def test_too_small_a_budget_is_not_run(check: str) -> None:
    """A budget that buys nothing is refused with the way out."""
    subject, tables = hard()
    subject.able = Capabilities(scores=True, retrains=False, perturbable=True, max_rows=1, calls_left=60)
    with pytest.raises(UnsupportedError) as caught:
        resolve(check)(given(check, subject, tables))
    assert caught.value.code == "explanation.budget"
    assert len(subject.seen) <= 30


@pytest.mark.parametrize("check", CHECKS)
def test_what_cannot_be_explained_is_refused(check: str) -> None:
    """A file of predictions, texts and a handful of rows: each has its own code."""
    subject, tables = hard()
    fixed = Asked(subject.answer, able=Capabilities(scores=True, retrains=False, perturbable=False))
    text = {"test": replace(tables["test"], kind="text")}
    few = {"test": tables["test"].take(np.arange(8))}
    for who, data, code in ((fixed, tables, "subject"), (subject, text, "inputs"), (subject, few, "rows")):
        with pytest.raises(UnsupportedError) as caught:
            resolve(check)(given(check, who, data))
        assert caught.value.code == f"explanation.{code}"


@pytest.mark.parametrize("check", WHOLE)
def test_three_hundred_columns_stay_within_the_questions(check: str) -> None:
    """A wide table is explained in fewer rows, or joined columns, and says so."""
    rng = np.random.default_rng(5)
    frame = filler(rng, 400, 300)
    made = truth.model(rng, frame, "scores")
    target = made.score(table("all", frame, np.zeros(400, dtype=np.int64))).argmax(axis=1)
    tables = {"test": table("test", frame, target)}
    subject = Asked(made.predict_proba)
    result = resolve(check)(given(check, subject, tables))
    assert sum(len(asked) for asked in subject.seen) <= 100_000
    assert result.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}, result.reason


@pytest.mark.parametrize("check", CHECKS)
def test_a_constant_model_gets_no_pass(check: str) -> None:
    """Where the answer never changes there is nothing to explain, and nothing is passed."""
    subject, tables = hard()
    subject.answer = lambda asked: np.tile([0.3, 0.7], (len(asked), 1))
    result = resolve(check)(given(check, subject, tables))
    if check == "E4.planted":  # the planted rule is there to be explained whatever the model does
        return
    assert result.outcome is Outcome.INCONCLUSIVE, result.reason


def test_every_check_is_described() -> None:
    """The pack tells question, threat, method, limits, source and cost of each, and asks for no texts."""
    for check in CHECKS:
        spec = checks()[check]
        assert all((spec.question, spec.threat, spec.method, spec.limits, spec.source, spec.cost))
        assert ("inputs.table+image+series+audio" in spec.needs) == (check in WHOLE and check != "E4.fooling")


@pytest.mark.parametrize("check", ["E3.surrogate", "E4.stability", "E4.fooling"])
def test_the_unit_of_a_value_changes_nothing(check: str) -> None:
    """In farads, a picofarad is no rounding error: the finding is that of the same answers in picofarads."""
    rng = np.random.default_rng(8)
    rows = table("test", pd.DataFrame(rng.normal(size=(800, 4)), columns=list("abcd")), np.zeros(800))
    found = []
    for unit in (1.0, 1e-12):

        def answer(asked: Table, unit: float = unit) -> np.ndarray:
            cells = asked.features.to_numpy(dtype=float)
            return unit * (3 + cells[:, 0] - (cells[:, 1] > 0))

        found.append(resolve(check)(given(check, Asked(answer, task="regression", classes=()), {"test": rows})))
    assert found[0].outcome is found[1].outcome is Outcome.PASS
    assert found[0].measures[0].value == pytest.approx(found[1].measures[0].value, abs=0.01)


def test_rows_that_are_all_alike_are_no_error() -> None:
    """Nothing varies, not even for the functions of the canary."""
    rows = table("test", pd.DataFrame({"a": np.ones(60), "b": ["x"] * 60}), np.zeros(60, dtype=np.int64))
    model = Asked(lambda asked: chance(asked.features["a"].to_numpy()))
    assert resolve("E4.fooling")(given("E4.fooling", model, {"test": rows})).outcome is Outcome.INCONCLUSIVE
