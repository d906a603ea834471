"""D2 but for leakage: what is found in tables that have the defect, and not in those that look like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from tests.truth.floors import floors
from tests.truth.subjects import context

from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import SettingsView, Table
from fivefold.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from fivefold.contract.finding import Result

CHECKS = [f"D2.{name}" for name in ("integrity", "accuracy", "availability", "confidentiality", "coverage", "drift")]


def frame(n: int = 600, seed: int = 1) -> pd.DataFrame:
    """Return an honest table of several kinds of columns."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D")
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "amount": rng.lognormal(4, 1, n).round(2),
            "since": days.strftime("%Y-%m-%d").to_numpy(dtype=object),
            "floors": np.array(["1", "2", "3", "4+"], dtype=object)[rng.integers(0, 4, n)],
            "note": np.array(["first visit", "came back", "by e-mail", "12 items"], dtype=object)[
                rng.integers(0, 4, n)
            ],
            "member": rng.random(n) < 0.5,
            "sex": np.array(["f", "m"], dtype=object)[rng.integers(0, 2, n)],
        }
    )


def measured(
    check: str,
    train: pd.DataFrame,
    test: pd.DataFrame | None = None,
    *,
    settings: SettingsView | None = None,
    **options: object,
) -> Result:
    """Run a check on training and test data."""
    tables = {}
    for name, part in (("train", train), ("test", frame(300, 2) if test is None else test)):
        count = len(part)
        target = np.arange(count) % 2
        rows = np.arange(count, dtype=np.int64)
        tables[name] = Table(name, rows, part.reset_index(drop=True), target, pd.DataFrame(index=range(count)))
    given = context(
        check, None, tables, 5, thresholds=floors(check), settings=settings or SettingsView(), options=options
    )
    return resolve(check)(given)


def places(result: Result) -> list[str]:
    """Return where it failed."""
    return [measure.where for measure in result.measures if measure.outcome is Outcome.FAIL]


def spoilt(name: str, value: object, share: float = 0.04) -> pd.DataFrame:
    """Return the honest table with cells of a column replaced."""
    made = frame()
    column = made[name].astype(object)
    column.iloc[:: int(1 / share)] = value
    made[name] = column
    return made


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", "n/a"),
        ("age", "forty"),
        ("amount", "12,50"),
        ("amount", "2021-03-04"),
        ("since", "03/04/2021"),
        ("since", "soon"),
    ],
)
def test_cells_of_another_kind_are_found(name: str, value: str) -> None:
    """Words, decimal commas and dates among numbers; other forms and words among dates."""
    made = spoilt(name, value)
    made[name] = made[name].astype(str)
    assert places(measured("D2.integrity", made)) == [f"{name} (train)"]


def test_codes_that_look_like_numbers_are_honest() -> None:
    """Few values such as 1, 2, 3, 4+, and free texts with digits, have no kind to keep to."""
    result = measured("D2.integrity", frame())
    assert result.outcome is Outcome.PASS, result.reason
    assert [measure.where for measure in result.measures if measure.name == "dates kept as text"] == [
        "since (train)", "since (test)",
    ]  # fmt: skip


def test_copied_rows_are_found_and_equal_ones_are_not() -> None:
    """A third of the rows again; and a table of few values, whose rows repeat by chance."""
    made = frame()
    result = measured("D2.integrity", pd.concat([made, made.iloc[:200]], ignore_index=True))
    assert "rows (train)" in places(result)
    rng = np.random.default_rng(3)
    few = pd.DataFrame({"a": rng.integers(0, 2, 500), "b": rng.integers(0, 3, 500)})
    assert measured("D2.integrity", few, few.iloc[:100]).outcome is Outcome.PASS


def _ruled(**rules: object) -> SettingsView:
    return SettingsView(features=rules)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("age", -4, {"type": "integer", "range": (0, 120)}),
        ("age", 33.5, {"type": "integer", "range": (0, 120)}),
        ("amount", "much", {"type": "number"}),
        ("member", "maybe", {"type": "boolean"}),
        ("since", "someday", {"type": "date"}),
    ],
)
def test_values_against_declared_rules(name: str, value: object, rule: dict[str, object]) -> None:
    """Range, integer, number, truth value, date: the broken column fails, the whole one passes."""
    assert places(measured("D2.accuracy", spoilt(name, value), settings=_ruled(**{name: rule}))) == [f"{name} (train)"]
    assert measured("D2.accuracy", frame(), settings=_ruled(**{name: rule})).outcome is Outcome.PASS


@pytest.mark.parametrize("value", [9999, 999, -1])
def test_placeholders_are_found_without_a_rule(value: int) -> None:
    """A far value of nines, or -1 among ages; a declared range that holds it makes it the owner's."""
    made = spoilt("age", value)
    made["age"] = made["age"].astype(int)
    assert places(measured("D2.accuracy", made)) == ["age (train)"]
    ruled = _ruled(age={"type": "integer", "range": (-1, 9999)})
    assert measured("D2.accuracy", made, settings=ruled).outcome is Outcome.PASS


def test_without_a_rule_nothing_passes() -> None:
    """Inconclusive, with what to declare."""
    result = measured("D2.accuracy", frame())
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "features:" in result.remedy


def test_equal_rows_with_unlike_answers_are_shown() -> None:
    """Every row twice, with both answers: half of the rows contradict, and nothing is judged by it."""
    made = frame().loc[lambda one: one.index.repeat(2)]
    result = measured("D2.accuracy", made)
    shown = next(m for m in result.measures if m.name.startswith("rows that equal") and m.where == "train")
    assert shown.value == pytest.approx(0.5, abs=0.02)
    assert shown.outcome is None


def test_missing_constant_and_unlabelled() -> None:
    """A mostly empty column, one that never changes; NA written out counts as missing, and the note says so."""
    assert places(measured("D2.availability", spoilt("amount", None, 1.0))) != []
    written = frame()
    written.loc[written.index[:400], "note"] = "N/A"
    result = measured("D2.availability", written)
    assert places(result) == ["note (train)"]
    assert "missing:" in result.measures[0].note
    still = frame().assign(age=7)
    assert places(measured("D2.availability", still)) == ["columns (train)"]
    assert measured("D2.availability", frame()).outcome is Outcome.PASS


def test_a_gap_in_time_is_shown() -> None:
    """Daily dates without one year: the gap is 366 median steps."""
    days = pd.date_range("2019-01-01", periods=900, freq="D")
    kept = days[(days < "2020-01-01") | (days > "2020-12-31")]
    made = frame(len(kept)).assign(since=kept.strftime("%Y-%m-%d").to_numpy(dtype=object))
    result = measured("D2.availability", made)
    gap = next(m for m in result.measures if m.name == "longest gap in time" and m.where == "since (train)")
    assert gap.value == pytest.approx(367)


@pytest.mark.parametrize(
    "text",
    [
        "reach me at jo.doe+x@mail.example.org",
        "IBAN GB82 WEST 1234 5698 7654 32",
        "paid by 5555 5555 5555 4444",
        "SSN 219-09-9999",
        "ring +44 20 7946 0958",
        "(212) 555-0187",
        "host 192.0.2.17",
    ],
)
def test_identifiers_are_found_by_form(text: str) -> None:
    """Test numbers that their standards publish, in free text; declared personal they are no finding."""
    made = spoilt("note", text)
    assert places(measured("D2.confidentiality", made)) == ["note (train)"]
    declared = SettingsView(personal=("note",))
    assert measured("D2.confidentiality", made, settings=declared).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3",
        "5555 5555 5555 4445",
        "GB82 WEST 1234 5698 7654 33",
        "2021-03-04",
        "order 12345678901234567890",
        "3.14159",
    ],
)
def test_what_looks_like_an_identifier_is_none(text: str) -> None:
    """Wrong check digits, versions, dates, long order numbers."""
    assert measured("D2.confidentiality", spoilt("note", text)).outcome is Outcome.PASS


def test_no_cell_is_quoted() -> None:
    """The result names columns and counts, and repeats nothing that a person wrote."""
    result = measured("D2.confidentiality", spoilt("note", "reach me at jo.doe@mail.example.org"))
    assert b"jo.doe" not in canonical(result)


def test_columns_about_people_are_named() -> None:
    """A protected column that no label declares personal is shown."""
    result = measured("D2.confidentiality", frame(), settings=SettingsView(protected=("sex",)))
    assert "sex (train)" in [measure.where for measure in result.measures]


def test_coverage_against_the_declared_population() -> None:
    """Half as many as declared fails and is named; as declared passes; undeclared says what to write."""
    made = frame(4000)
    made["sex"] = np.where(np.arange(4000) % 4 == 0, "f", "m")
    said = ("sex == f: 0.5", "sex == m: 0.5")
    assert places(measured("D2.coverage", made, population=said)) == ["sex == f"]
    fair = measured("D2.coverage", made, population=("sex == f: 0.25", "age < 54: 0.5"))
    assert fair.outcome is Outcome.PASS, fair.reason
    none = measured("D2.coverage", made, settings=SettingsView(protected=("sex",)))
    assert none.outcome is Outcome.INCONCLUSIVE
    assert "population" in none.remedy
    assert {m.where for m in none.measures} == {"sex f", "sex m"}


@pytest.mark.parametrize("text", ["sex == f", "sex == f: 2", "height > 3: 0.5", ": 0.5", "sex == f: half"])
def test_a_population_that_says_nothing_is_refused(text: str) -> None:
    """No share, an impossible one, a column that is not there."""
    with pytest.raises(InputError):
        measured("D2.coverage", frame(), population=(text,))


def test_drift_of_numbers_texts_and_gaps() -> None:
    """A moved number, another text, cells that went missing: each is named; data drawn alike pass."""
    train, test = frame(3000), frame(2000, 9)
    assert measured("D2.drift", train, test).outcome is Outcome.PASS
    assert places(measured("D2.drift", train, test.assign(age=test["age"] + 30)))[0] == "age"
    other = test.assign(note=np.where(np.arange(2000) % 2, test["note"], "by phone"))
    assert places(measured("D2.drift", train, other))[0] == "note"
    gone = test.assign(amount=test["amount"].where(np.arange(2000) % 2 == 0))
    assert places(measured("D2.drift", train, gone))[0] == "amount"


def test_texts_that_occur_once_are_no_drift() -> None:
    """Names, dates and ids of which each row has its own say on which side they stand, and nothing else."""
    train, test = frame(900, 1), frame(500, 2)
    for part, start in ((train, 0), (test, 10_000)):
        part["name"] = [f"case {start + 7 * at}" for at in range(len(part))]
    result = measured("D2.drift", train, test)
    assert result.outcome is Outcome.PASS, result.reason


def test_dates_as_texts_that_moved_are_found() -> None:
    """The test rows are of the next year."""
    train, test = frame(900, 1), frame(500, 2)
    later = pd.to_datetime(test["since"]) + pd.Timedelta(days=500)
    moved = test.assign(since=later.dt.strftime("%Y-%m-%d").to_numpy(dtype=object))
    assert places(measured("D2.drift", train, moved))[0] == "since"


def test_a_trifle_is_no_drift_however_many_rows() -> None:
    """A twentieth of a standard deviation in 40,000 rows is significant, and no failure."""
    rng = np.random.default_rng(4)
    train = pd.DataFrame({"x": rng.normal(size=40_000), "y": rng.normal(size=40_000)})
    test = pd.DataFrame({"x": rng.normal(0.05, 1, 40_000), "y": rng.normal(size=40_000)})
    assert measured("D2.drift", train, test).outcome is Outcome.PASS


@pytest.mark.parametrize("check", CHECKS)
def test_the_same_bytes_twice_and_untouched_data(check: str) -> None:
    """Deterministic; the tables stay as they were."""
    made = spoilt("amount", None, 0.1)
    before = made.copy()
    assert canonical(measured(check, made)) == canonical(measured(check, made))
    pd.testing.assert_frame_equal(made, before)


@pytest.mark.parametrize("check", [*CHECKS, "D2.leakage"])
def test_hard_tables(check: str) -> None:
    """All missing, one column, nullable integers, time zones, categories, 300 columns: an answer, never a crash."""
    n = 200
    rng = np.random.default_rng(6)
    hard = pd.DataFrame(
        {
            "empty": np.full(n, np.nan),
            "count": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "when": pd.date_range("2020-01-01", periods=n, freq="h", tz="Europe/Berlin"),
            "kind": pd.Categorical(rng.choice(["a", "b"], n)),
            "huge": rng.choice([1e300, -1e300, 1e-300], n),
            "only": "one",
            "odd": [None, "", " ", "x"] * (n // 4),
        }
    )
    hard.loc[::3, "count"] = pd.NA
    wide = pd.DataFrame(rng.normal(size=(n, 300)), columns=[f"c{k}" for k in range(300)])
    for made in (hard, wide, hard[["count"]], hard[["odd"]]):
        result = measured(check, made, made.iloc[:80])
        assert result.canary is not None


@pytest.mark.parametrize("check", CHECKS)
def test_without_rows_it_says_so(check: str) -> None:
    """No rows on either side."""
    empty = frame(3).iloc[:0]
    with pytest.raises(UnsupportedError) as caught:
        measured(check, empty, empty)
    assert caught.value.code in {"quality.data", "quality.rows"}
