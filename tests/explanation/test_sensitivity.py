"""E3.sensitivity: indices of known functions, what named columns carry, and rows that are told not to occur."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.explanation.test_kinds import Asked, chance, given, hard
from tests.truth import explanation_sensitivity as truth
from tests.truth.subjects import filler, table

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities
from fivefold.errors import InputError, UnsupportedError
from fivefold.explanation import known
from fivefold.explanation.sensitivity import canary, indices, morris

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.finding import Result
    from fivefold.contract.subject import Table

RUN = resolve("E3.sensitivity")


def cells(asked: Table) -> np.ndarray:
    return asked.features.to_numpy(dtype=float)


def values(answer: Callable[[np.ndarray], np.ndarray]) -> Asked:
    """Return a regression of the cells as numbers."""
    return Asked(lambda asked: answer(cells(asked)), task="regression", classes=())


def rows(frame: pd.DataFrame) -> dict[str, Table]:
    return {"test": table("test", frame, np.zeros(len(frame)))}


def uniform(n: int, columns: int, low: float = 0.0, high: float = 1.0) -> pd.DataFrame:
    drawn = np.random.default_rng(11).uniform(low, high, (n, columns))
    return pd.DataFrame(drawn, columns=list("abcdefgh")[:columns])


def told(result: Result, name: str) -> dict[str, tuple[float, float, float]]:
    return {
        one.where: (one.value or 0.0, one.low or 0.0, one.high or 0.0)
        for one in result.measures
        if one.name.startswith(name) and one.threshold is None
    }


def near(found: dict[str, tuple[float, float, float]], wanted: dict[str, float], far: float = 0.06) -> None:
    """Assert that indices are as known, and within their bounds but for a little."""
    for name, one in wanted.items():
        value, low, high = found[name]
        assert value == pytest.approx(one, abs=far)
        assert low - 0.03 <= one <= high + 0.03


def test_ishigami_as_in_closed_form() -> None:
    """One column acts alone, one through another only: first order and total are those of the formula."""
    a, b, pi = 7.0, 0.1, np.pi
    whole = a**2 / 8 + b * pi**4 / 5 + b**2 * pi**8 / 18 + 0.5
    one, two, both = 0.5 * (1 + b * pi**4 / 5) ** 2, a**2 / 8, b**2 * pi**8 * (1 / 18 - 1 / 50)
    subject = values(lambda x: np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0]))
    result = RUN(given("E3.sensitivity", subject, rows(uniform(2000, 4, -pi, pi))))
    assert result.outcome is Outcome.PASS, result.reason
    near(told(result, "total index"), {"a": (one + both) / whole, "b": two / whole, "c": both / whole, "d": 0.0})
    near(told(result, "first-order"), {"a": one / whole, "b": two / whole, "c": 0.0})
    alone = next(one for one in result.measures if one.name == "share that columns carry one by one")
    assert alone.value == pytest.approx(1 - both / whole, abs=0.08)
    assert len(result.plots) == 3
    assert "alone" in result.reason


def test_g_function_as_in_closed_form() -> None:
    """Sobol's product of |4x - 2|: every column alone and with all others."""
    weight = np.array([0.0, 1.0, 4.5, 9.0])
    alone = 1 / (3 * (1 + weight) ** 2)
    whole = float((1 + alone).prod() - 1)
    subject = values(lambda x: ((np.abs(4 * x - 2) + weight) / (1 + weight)).prod(axis=1))
    result = RUN(given("E3.sensitivity", subject, rows(uniform(2000, 4))))
    total = [one * float(np.delete(1 + alone, at).prod()) / whole for at, one in enumerate(alone)]
    near(told(result, "total index"), dict(zip("abcd", total, strict=True)))
    near(told(result, "first-order"), dict(zip("abcd", alone / whole, strict=True)))


def test_a_sum_gives_each_column_its_share_of_the_variance() -> None:
    """Total and first order are the same, numbers, whole numbers and texts alike, a constant has none."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"a": rng.normal(size=1500), "b": rng.integers(0, 4, 1500)})
    frame["c"] = np.array(["x", "y"], dtype=object)[rng.integers(0, 2, 1500)]
    frame["d"] = 7

    def answer(asked: Table) -> np.ndarray:
        part = asked.features
        return np.asarray(part["a"] + part["b"] + 2.0 * (part["c"] == "x"), dtype=float)

    result = RUN(given("E3.sensitivity", Asked(answer, task="regression", classes=()), rows(frame)))
    share = np.array([frame["a"].var(), frame["b"].var(), 4 * (frame["c"] == "x").var()])
    wanted = dict(zip("abc", share / share.sum(), strict=True))
    near(told(result, "total index"), wanted)
    near(told(result, "first-order"), wanted)
    assert told(result, "total index")["d"][0] == 0.0


def test_elementary_effects_of_a_line_are_its_slopes() -> None:
    """Every move of a line changes the answer alike: mu* is the slope over the ranks, sigma is nothing."""
    n, slope = 200, np.array([2.0, -3.0, 0.0])
    rng = np.random.default_rng(4)
    codes = np.column_stack([(rng.permutation(n) + 0.5) / n for _ in slope])

    def line(rows: np.ndarray) -> np.ndarray:
        return (codes[rows, np.arange(3)] @ slope)[:, None]

    made = morris.measure(line, codes, 20, rng)
    np.testing.assert_allclose(made.effect.mean(axis=1), slope, atol=1e-9)
    np.testing.assert_allclose(made.sizes()[:, 0], np.abs(slope), atol=1e-9)
    assert made.sizes()[:, 3].max() < 1e-9
    # what repeats with half of the ranks is seen, because steps are drawn
    wave = morris.measure(lambda rows: np.sin(4 * np.pi * codes[rows[:, :1], 0]), codes, 20, rng)
    assert wave.square[0] > 0.2
    assert wave.sizes()[0, 3] > 1
    assert not wave.square[1:].any()


def test_bounds_hold_at_their_rate_for_rows_never_seen() -> None:
    """Small samples of a product, 150 times: each one-sided 95 % bound misses about one in twenty."""
    missed = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        drawn = rng.normal(size=(120, 3))

        def ask(rows: np.ndarray, drawn: np.ndarray = drawn) -> np.ndarray:
            x = drawn[rows, np.arange(3)]
            return (x[:, 0] + x[:, 0] * x[:, 1])[:, None]

        made = indices.measure(ask, indices.pairs(120, 3, 400, rng), [(0,), (1,)])
        for part, one in zip((*made.total, *made.first), (1.0, 0.5, 0.5, 0.0), strict=True):
            _, low, high = indices.share(part, made.signal, 120)
            missed.append((low > one, high < one))
    assert np.mean(missed, axis=0).max() <= 0.1


def test_pairs_never_share_a_cell_and_stay_in_their_block() -> None:
    """What bounds over blocks rest on."""
    made = indices.pairs(103, 7, 500, np.random.default_rng(5))
    assert (made.one != made.other).all()
    assert made.blocks == 10
    each = len(made.one) // made.blocks
    seen = [set(made.one[at : at + each].ravel()) | set(made.other[at : at + each].ravel())
            for at in range(0, len(made.one), each)]  # fmt: skip
    assert all(not one & other for at, one in enumerate(seen) for other in seen[:at])
    whole = indices.pairs(103, 7, 500, np.random.default_rng(5), whole=True)
    assert (whole.one == whole.one[:, :1]).all()
    assert (whole.one != whole.other).all()


@pytest.mark.parametrize("kind", truth.KINDS)
def test_declarations_are_held_against_the_indices(kind: str) -> None:
    """Drivers that carry most pass, such that carry a third fail; so with a column that may not be used."""
    kept = RUN(truth.build(9, kind=kind, carried=0.85))
    assert kept.outcome is Outcome.PASS, kept.reason
    failed = RUN(truth.build(9, kind=kind, carried=0.36, rows=600))
    assert failed.outcome is Outcome.FAIL, failed.reason
    assert "hang on others" in failed.reason
    assert RUN(truth.build(9, kind=kind, forbidden=0.0, rows=600)).outcome is Outcome.PASS
    used = RUN(truth.build(9, kind=kind, forbidden=0.1, rows=600))
    assert used.outcome is Outcome.FAIL, used.reason
    assert used.measures[1].outcome is Outcome.FAIL
    assert used.remedy


def test_hard_cells_are_drawn_whole_and_a_missing_one_counts() -> None:
    """Texts, dates, flags and missing cells: only cells that occur are asked, the model's leaning on a gap is seen."""
    subject, tables = hard()
    result = RUN(given("E3.sensitivity", subject, tables))
    assert result.outcome is Outcome.PASS, result.reason
    original = tables["test"].features
    for asked in subject.seen:
        assert list(asked.features.dtypes) == list(original.dtypes)
    for name in original.columns:
        drawn = pd.concat([asked.features[name] for asked in subject.seen])
        assert set(drawn.dropna()) <= set(original[name].dropna())
    found = told(result, "total index")
    assert found["since"][1] > 0.01  # the model asks of it only whether it is missing
    assert max(found["id"][2], found["same"][2]) < 0.02


def test_three_hundred_columns_are_screened_within_the_questions() -> None:
    """The columns in use are kept by their elementary effects, all others are measured as one."""
    rng = np.random.default_rng(6)
    frame = filler(rng, 400, 300)
    used = [str(frame.columns[at]) for at in (3, 77, 150, 299)]
    made = truth.model(rng, frame, "scores", used)
    subject = Asked(made.predict_proba)
    result = RUN(given("E3.sensitivity", subject, rows(frame)))
    assert sum(len(asked) for asked in subject.seen) <= 100_000
    assert result.outcome is Outcome.PASS, result.reason
    assert set(used) >= {where for where, one in told(result, "total index").items() if one[0] > 0.01}
    others = [one for where, one in told(result, "total index").items() if where.startswith("together")]
    assert [one[2] < 0.05 for one in others] == [True]
    assert any("Of 300 columns 24" in limit for limit in result.limits)
    thin = RUN(truth.thin(6))
    assert thin.outcome is Outcome.FAIL, thin.reason


def test_labels_alone_and_answers_that_flicker() -> None:
    """What asking again changes is no column's: an unused column does not fail, and the noise is told."""
    frame, noise = uniform(800, 4), np.random.default_rng(7)

    def answer(asked: Table) -> np.ndarray:
        other = noise.random(len(asked)) < 0.03
        return chance(np.where((cells(asked)[:, :2].sum(axis=1) > 1) ^ other, 9.0, -9.0))

    subject = Asked(answer, able=Capabilities(scores=False, retrains=False, perturbable=True))
    context = given("E3.sensitivity", subject, rows(frame), may_not_use=["d"])
    result = RUN(context)
    rule = result.measures[1]
    assert rule.outcome is not Outcome.FAIL
    assert (rule.value or 0.0) < 0.02
    again = next(one for one in result.measures if one.name.startswith("share of the variance that asking again"))
    assert again.value == pytest.approx(2 * 0.03 * 0.97 / 0.5, abs=0.04)
    near(told(result, "total index"), {"a": 0.6, "b": 0.6}, 0.1)
    subject.answer = lambda asked: chance(noise.normal(size=len(asked)))
    nothing = RUN(context)
    assert nothing.outcome is Outcome.INCONCLUSIVE
    assert "do not vary" in nothing.reason


def test_columns_that_go_together_are_told_and_not_judged() -> None:
    """A copy drawn by itself makes rows that never occur, and the model is another one there."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"used": rng.normal(size=1000)})
    frame["copy"] = frame["used"] + 0.05 * rng.normal(size=1000)
    frame["free"], frame["more"] = rng.normal(size=1000), rng.normal(size=1000)

    def answer(x: np.ndarray) -> np.ndarray:
        return np.where(np.abs(x[:, 0] - x[:, 1]) > 1, 9.0 * np.sign(x[:, 3]), 0.0) + 3 * x[:, 2] + 0.2 * x[:, 0]

    result = RUN(given("E3.sensitivity", values(answer), rows(frame)))
    alone = RUN(given("E3.sensitivity", values(lambda x: x[:, 0] + x[:, 2]), rows(frame)))
    far = [next(one for one in found.measures if one.name.startswith("drawn rows")).value for found in (result, alone)]
    assert min(far) > 0.4
    assert alone.outcome is Outcome.PASS
    assert "hardly a real row" in " ".join(alone.limits)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "go together" in result.reason


def test_the_overlap_is_that_of_the_shares() -> None:
    """By hand: two columns of three parts to one, and of one part to one, share three quarters."""
    one, other = np.repeat([[3.0], [1.0]], 8, axis=1), np.repeat([[5.0], [5.0]], 8, axis=1)
    assert indices.alike(one, other) == pytest.approx((0.75, 0.75, 0.75))
    assert indices.alike(one, np.zeros_like(one))[0] == 0.0


def test_known_functions_have_the_indices_of_the_definition() -> None:
    """What the canary calls exact is the variance of means over all rows of a grid."""
    codes = (np.indices((5, 5, 5)).reshape(3, -1).T + 0.5) / 5
    made = known.draw(codes, np.random.default_rng(1))
    total, first = canary.exact(made)
    answers = made(np.repeat(np.arange(125)[:, None], 3, axis=1))[:, 0].reshape(5, 5, 5)
    for at in range(3):
        rest = tuple(axis for axis in range(3) if axis != at)
        assert first[at] == pytest.approx(answers.mean(axis=rest).var() / answers.var())
        assert total[at] == pytest.approx(answers.var(axis=at).mean() / answers.var())


def spoiled(kind: str) -> Callable[..., object]:
    honest, share = indices.measure, indices.share

    def bounds(*args: object) -> tuple[float, float, float]:
        value, low, high = share(*args)  # type: ignore[arg-type]
        return (value, value - (value - low) / 9, value + (high - value) / 9) if kind == "narrow" else (value, 0.0, 1.0)

    def twice(*args: object) -> indices.Shares:
        made = honest(*args)  # type: ignore[arg-type]
        return replace(made, total=2 * made.total)

    return twice if kind == "twice" else bounds


@pytest.mark.parametrize("kind", ["narrow", "wide", "twice"])
def test_a_broken_estimator_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds cut to a ninth, bounds that cover anything, totals without the half: nothing is believed."""
    subject = values(lambda x: x[:, 0] + x[:, 1] * x[:, 2])
    context = given("E3.sensitivity", subject, rows(uniform(400, 4)))
    monkeypatch.setattr(indices, "measure" if kind == "twice" else "share", spoiled(kind))
    result = RUN(context)
    assert result.canary is not None
    assert not result.canary.noticed
    assert result.outcome is Outcome.INCONCLUSIVE


def test_few_rows_say_too_little() -> None:
    """Forty rows of heavy tails: no pass, and the reason names what is open."""
    frame = pd.DataFrame(np.random.default_rng(9).lognormal(sigma=2, size=(40, 4)), columns=list("abcd"))
    result = RUN(given("E3.sensitivity", values(lambda x: x @ np.ones(4)), rows(frame)))
    assert result.outcome is Outcome.INCONCLUSIVE


def test_what_is_declared_must_be_there() -> None:
    """A driver that the model does not see is refused; a forbidden column that it does not see is kept to."""
    frame = uniform(300, 3)
    subject = values(lambda x: x[:, 0])
    with pytest.raises(InputError) as caught:
        RUN(given("E3.sensitivity", subject, rows(frame), drivers=["wage"]))
    assert caught.value.code == "explanation.column"
    assert caught.value.remedy
    tables = rows(frame)
    beside = pd.DataFrame({"sex": np.tile(["f", "m"], 150)})
    tables["test"] = replace(tables["test"], others=beside)
    result = RUN(given("E3.sensitivity", subject, tables, may_not_use=["sex"], drivers=["a"]))
    assert result.outcome is Outcome.PASS, result.reason
    assert result.measures[1].where == "sex"
    image = replace(tables["test"], kind="image", inputs=np.zeros((300, 1, 4, 4), dtype=np.float32))
    with pytest.raises(UnsupportedError) as refused:
        RUN(given("E3.sensitivity", subject, {"test": image}))
    assert refused.value.code == "explanation.inputs"
