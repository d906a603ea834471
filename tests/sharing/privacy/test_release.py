"""Releases: what a person moves, what is said, and what the figures of real data are."""

from __future__ import annotations

import gzip
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fivefold.errors import InputError
from fivefold.sharing.privacy import chunks, noise, queries, release, vectors
from fivefold.sharing.privacy.ledger import Ledger
from fivefold.sharing.privacy.loss import DELTA, RHO, Loss, budget_of

if TYPE_CHECKING:
    from pathlib import Path

DOMAINS = {
    "kind": {"values": ["a", "b", 3]},
    "value": {"edges": [0, 10, 20, 50]},
    "flag": {"values": ["true", "false"]},
}
EVERY: list[dict[str, Any]] = [
    {"name": "count", "what": "count"},
    {"name": "some", "what": "count", "where": 'value > 10 and kind == "a" or kind is missing'},
    {"name": "sum", "what": "sum", "column": "value", "bounds": [-5, 30]},
    {"name": "mean", "what": "mean", "column": "value", "bounds": [-5, 30]},
    {"name": "variance", "what": "variance", "column": "value", "bounds": [-5, 30]},
    {"name": "places", "what": "quantiles", "column": "value", "bounds": [-5, 30], "bins": 32},
    {"name": "histogram", "what": "histogram", "column": "value"},
    {"name": "table", "what": "table", "by": ["kind"], "of": "mean", "column": "value", "bounds": [-5, 30]},
    {"name": "sums", "what": "table", "by": ["kind", "flag"], "of": "sum", "column": "value", "bounds": [-5, 30]},
    {"name": "contingency", "what": "contingency", "columns": ["kind", "value"]},
    {"name": "synthetic", "what": "synthetic", "columns": ["kind", "value", "flag"], "rows": 20},
]


def _asked(asked: list[dict[str, Any]] = EVERY, **more: Any) -> release.Asked:
    told = {"loss": {"epsilon": 2.0, "delta": 1e-6}, "domains": DOMAINS, "queries": asked, **more}
    return release.ask(queries.read(told))


CELLS = st.sampled_from([None, "a", "b", 3, 3.0, "3", "x", " a "])
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(-100, 100), st.just("9"),
                    st.just("nine"))  # fmt: skip
ROW = st.tuples(CELLS, NUMBERS, st.sampled_from([None, True, False, "true"]))


def _frame(rows: list[Any], who: str | list[str]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["kind", "value", "flag"], dtype=object)
    made["who"] = pd.Series(who if isinstance(who, list) else [who] * len(rows), dtype=object)
    return made


@given(st.lists(ROW, max_size=12), st.lists(ROW, min_size=1, max_size=9), st.integers(1, 4), st.sampled_from(
    ["gaussian", "laplace"]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_no_person_moves_a_vector_further_than_its_noise_is_made_for(
    others: list[Any], own: list[Any], most: int, law: str
) -> None:
    """Any rows of the others, any and too many of the person's, anywhere between them: L2 and L1 stay within bounds."""
    asked = _asked([{**query, "noise": law} for query in EVERY], unit={"column": "who", "rows": most})
    rng = np.random.default_rng(len(others) + 100 * len(own))
    base = _frame(others, [f"p{k % 3}" for k in range(len(others))])
    both = pd.concat([base, _frame(own, "new")]).iloc[rng.permutation(len(others) + len(own))]
    kept = both.index[both["who"] != "new"] if others else []
    without = both[both["who"] != "new"]
    assert len(without) == len(kept) == len(base)
    one, two = release.total(asked, [without]), release.total(asked, [both.iloc[:5], both.iloc[5:]])
    for vector, a, b in zip(asked.vectors, one.sums, two.sums, strict=True):
        moved = (vector.rounded(b) - vector.rounded(a)).astype(float)
        limit = most * (vector.step // vector.unit)
        assert np.abs(moved).sum() <= limit * vector.parts + 1e-9
        assert math.sqrt((moved**2).sum()) <= limit * math.sqrt(vector.parts) + 1e-9
        if law == "gaussian":
            assert limit**2 * vector.parts / (2 * float(vector.law.scale)) <= vector.rho / RHO * (1 + 1e-12)
        else:
            assert (limit * vector.parts / float(vector.law.scale)) ** 2 / 2 <= vector.rho / RHO * (1 + 1e-12)


def test_what_the_queries_cost_together_is_what_is_declared() -> None:
    """No more than the loss; weights part it."""
    asked = _asked()
    whole = budget_of(2.0, 1e-6)
    assert asked.loss.rho <= whole.rho
    assert asked.loss.rho == pytest.approx(whole.rho, rel=1e-6)
    heavy = _asked([EVERY[0] | {"weight": 9}, EVERY[1]])
    assert heavy.vectors[0].rho == pytest.approx(9 * heavy.vectors[1].rho, rel=1e-6)
    assert asked.loss.epsilon(1e-6) <= 2.0


def test_parts_of_the_table_add_up_to_the_whole() -> None:
    """However it is cut; persons' rows are counted across parts."""
    rng = np.random.default_rng(3)
    n = 500
    frame = pd.DataFrame({
        "kind": rng.choice(["a", "b", "3", "z"], n), "value": rng.normal(10, 10, n),
        "flag": rng.choice(["true", "x"], n), "who": rng.choice([f"p{k}" for k in range(60)], n),
    })  # fmt: skip
    asked = _asked(
        [*EVERY, {"name": "found", "what": "table", "by": ["kind", "flag"]}], unit={"column": "who", "rows": 2}
    )
    whole = release.total(asked, [frame])
    cut = release.total(asked, [frame.iloc[a : a + 37] for a in range(0, n, 37)])
    for a, b in zip(whole.sums, cut.sums, strict=True):
        assert (a == b).all()
    assert whole.counts == cut.counts
    assert whole.sums[0][0] == frame.groupby("who").size().clip(upper=2).sum()


def test_the_exact_figures_are_those_of_pandas() -> None:
    """Within the fixed point and the grid."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"kind": rng.choice(["a", "b", "3"], 4000), "value": rng.uniform(0, 30, 4000), "flag": "true"})
    asked = _asked()
    told = {one["name"]: one["cells"] for one in release.exact(asked, release.total(asked, [frame]))}
    assert told["count"][0]["value"] == 4000
    assert told["sum"][0]["value"] == pytest.approx(frame["value"].sum(), rel=1e-3)
    assert told["mean"][0]["value"] == pytest.approx(frame["value"].mean(), abs=0.01)
    assert told["variance"][0]["value"] == pytest.approx(frame["value"].var(ddof=0), abs=0.5)
    for cell in told["places"]:
        assert cell["value"] == pytest.approx(frame["value"].quantile(cell["quantile"]), abs=1.2)
    cut = pd.cut(frame["value"], [0, 10, 20, 50], right=False).value_counts(sort=False).tolist()
    assert [cell["value"] for cell in told["histogram"]] == [*cut, 0]
    means = {cell["cell"]["kind"]: cell["value"] for cell in told["table"]}
    for kind, value in frame.groupby("kind")["value"].mean().items():
        assert means[str(kind)] == pytest.approx(value, abs=0.02)
    crossed = {(cell["cell"]["kind"], cell["cell"]["value"]): cell["value"] for cell in told["contingency"]}
    assert crossed["a", "0 to 10"] == ((frame["kind"] == "a") & (frame["value"] < 10)).sum()
    assert len(told["synthetic"]) == 20


def test_intervals_hold_as_often_as_they_say() -> None:
    """Over 200 releases, each kind of figure, at 80 %; quotients more often."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"kind": rng.choice(["a", "b"], 900), "value": rng.normal(12, 8, 900), "flag": "true"})
    asked = _asked(EVERY[:-1], confidence=0.8)
    totals = release.total(asked, [frame])
    true = {one["name"]: one["cells"] for one in release.exact(asked, totals)}
    draw, hits = noise.seeded(rng), {name: [] for name in true}
    for _ in range(200):
        for one in release.said(asked, release.noisy(asked, totals, draw), []):
            for cell, exact in zip(one["cells"], true[one["name"]], strict=True):
                hits[one["name"]].append(cell["low"] - 1e-9 <= exact["value"] <= cell["high"] + 1e-9)
    shares = {name: float(np.mean(found)) for name, found in hits.items()}
    assert all(share > 0.75 for share in shares.values()), shares
    assert shares["count"] < 0.9


def test_groups_that_one_person_makes_are_not_shown() -> None:
    """Common groups are, with noise; a threshold stands that noise hardly ever reaches."""
    asked = _asked([{"name": "found", "what": "table", "by": ["kind"]}], unit={"column": "who", "rows": 3}, domains={})
    (one,) = asked.groups
    assert one.threshold > 3
    rare = [f"only {k}" for k in range(200)]
    frame = pd.DataFrame({"kind": ["common"] * 600 + [name for name in rare for _ in range(3)]})
    frame["who"] = [f"p{k}" for k in range(600)] + [f"q{k}" for k in range(200) for _ in range(3)]
    totals = release.total(asked, [frame])
    assert len(totals.counts[0]) == 201
    for seed in range(20):
        shown = dict(one.shown(noise.seeded(np.random.default_rng(seed))))
        assert list(shown) == [("common",)]
        assert abs(shown["common",] - 600) < 12 * one.law.deviation
    assert one.rows * (one.law.upper(one.threshold - one.rows) + one.law.tv) <= one.delta / DELTA
    assert asked.loss.delta <= DELTA * 5e-7


def test_synthetic_rows_follow_the_tables_of_two_columns() -> None:
    """Their shares are near those of the data at a large epsilon."""
    rng = np.random.default_rng(6)
    kind = rng.choice(["a", "b"], 20_000)
    flag = np.where((kind == "a") ^ (rng.random(20_000) < 0.1), "true", "false")
    frame = pd.DataFrame({"kind": kind, "flag": flag, "value": rng.uniform(0, 50, 20_000)})
    asked = _asked([EVERY[-1] | {"rows": 5000}], loss={"epsilon": 8.0, "delta": 1e-6})
    totals = release.total(asked, [frame])
    (told,) = release.said(asked, release.noisy(asked, totals), [])
    rows = pd.DataFrame([cell["row"] for cell in told["cells"]])
    both = ((rows["kind"] == "a") == (rows["flag"] == "true")).mean()
    assert both == pytest.approx(0.9, abs=0.03)
    assert set(rows["value"]) <= {"0 to 10", "10 to 20", "20 to 50", "other"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"queries": []}, "asks nothing"),
        ({"loss": {"rho": 1.0, "epsilon": 1.0}}, "either rho"),
        ({"loss": {"epsilon": 1.0}}, "needs a delta"),
        ({"queries": [{"name": "x", "what": "mean", "column": "value"}]}, "needs bounds"),
        ({"queries": [{"name": "x", "what": "mean", "column": "value", "bounds": [3, 1]}]}, "smaller one first"),
        ({"queries": [{"name": "x", "what": "histogram", "column": "nothing"}]}, "needs a domain"),
        ({"queries": [{"name": "x", "what": "count", "where": "a <"}]}, "where"),
        ({"queries": [{"name": "x", "what": "count", "where": "a == true"}]}, "compare with a text"),
        ({"queries": [EVERY[0], EVERY[0]]}, "name of its own"),
        ({"queries": [{"name": "x", "what": "table", "by": ["who"], "of": "sum", "column": "value", "bounds": [0, 1]}]},
         "only counts"),
        ({"queries": [{"name": "x", "what": "table", "by": ["who"]}], "loss": {"rho": 0.1}}, "need a delta"),
        ({"queries": [{"name": "x", "what": "count", "unknown": 1}]}, "unknown"),
        ({"domains": {"kind": {"values": ["a"], "edges": [1, 2]}}}, "either values or edges"),
        ({"unit": {"rows": 4}}, "unit.rows"),
        ({"version": 2}, "version: 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_the_reason(change: dict[str, Any], word: str) -> None:
    """Before anything is read or spent."""
    with pytest.raises(InputError) as error:
        _asked(**({"asked": change["queries"]} if "queries" in change else {}), **{k: v for k, v in change.items()
               if k != "queries"})  # fmt: skip
    assert error.value.code == "privacy.query"
    assert word in error.value.message


def test_a_release_that_the_budget_does_not_have_reads_nothing() -> None:
    """And spends nothing; one that fails after it was granted is spent."""
    asked = _asked(EVERY[:1])
    ledger = Ledger(None, "app")
    ledger.open("register", Loss(asked.loss.rho * 2 - 1, 10**15))

    def broken() -> Any:
        yield pd.DataFrame({"kind": [], "value": [], "flag": [], "who": []})
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  the table's own
        release.run(asked, broken(), ledger, "Register ")
    assert ledger.budget("register") == (asked.loss.rho * 2 - 1, 10**15, asked.loss.rho, asked.loss.delta)
    with pytest.raises(InputError) as error:
        release.run(asked, _never(), ledger, "register")
    assert error.value.code == "privacy.overdrawn"
    assert [entry.result for entry in ledger.entries()] == [""]
    ledger.close()


def _never() -> Any:
    raise AssertionError
    yield


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".arrow"])
def test_files_of_each_kind_give_the_same_figures(tmp_path: Path, ending: str) -> None:
    """Numbers among texts, missing cells, dates, long ids."""
    frame = pd.DataFrame({
        "kind": ["a", "b", "3", None, "?"], "value": [1.5, 2.0, None, 40.0, -7.0], "flag": ["true", "x", "y", "", "z"],
        "who": ["900719925474099312", "900719925474099313", "900719925474099312", None, "7"],
        "day": ["2024-01-01", "2024-06-01", "not yet", None, "2025-01-01"],
    })  # fmt: skip
    path = tmp_path / f"table{ending}"
    if ending.startswith(".csv"):
        data = frame.to_csv(index=False).encode()
        path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    elif ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_feather(path)
    more = {"name": "late", "what": "count", "where": "day >= 2024-06-01"}
    asked = _asked([*EVERY[:-1], more], unit={"column": "who", "rows": 1})
    read = release.total(asked, chunks.parts(path, asked.release.columns(), ("?",)))
    plain = release.total(asked, [frame.replace("?", np.nan)])
    assert read.rows == 5
    assert [a.tolist() for a in read.sums] == [b.tolist() for b in plain.sums]
    assert read.sums[0][0] == 3
    assert read.sums[-1][0] == 2


@pytest.mark.parametrize(
    "odd", ["x", "true", "Infinity", "1e400", "99999999999999999999", "", "2024-01-01", "0x10", "1_0"]
)
def test_an_odd_cell_never_changes_what_other_rows_are_worth(tmp_path: Path, odd: str) -> None:
    """Whatever one person writes: ids of many digits, truth values, leading zeros and dates of the others stay."""
    kinds = ["007", "True", "Infinity", "9007199254740993", "3.0", "b"]
    rows = [f"{kind},{value},true,p{at}" for at, (kind, value) in enumerate(zip(kinds, [1, "2.5", "", "-3", "4e0", 9]
                                                                                 , strict=True))]  # fmt: skip
    found = []
    for more in ([], [f"{odd},{odd},{odd},new"]):
        path = tmp_path / f"{len(more)}.csv"
        path.write_text("\n".join(["kind,value,flag,who", *rows, *more]) + "\n")
        asked = _asked(
            [*EVERY[:-1], {"name": "kinds", "what": "histogram", "column": "kind"}],
            domains={**DOMAINS, "kind": {"values": [7, True, "Infinity", 9007199254740993, 3]}},
        )
        found.append((asked, release.total(asked, chunks.parts(path, asked.release.columns()))))
    (asked, one), (_, two) = found
    for vector, a, b in zip(asked.vectors, one.sums, two.sums, strict=True):
        assert np.abs(vector.rounded(b) - vector.rounded(a)).sum() <= vector.parts * vector.step // vector.unit
    assert one.sums[-1].tolist() == [1, 1, 1, 1, 1, 1]


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the file's name."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError) as error:
        list(chunks.parts(path, ("a", "c")))
    assert (error.value.code, error.value.where) == ("privacy.table", "t.csv")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint32, np.uint64])
def test_whole_numbers_fall_into_the_cells_that_their_texts_fall_into(dtype: type) -> None:
    """Whatever their type, the largest and smallest too; more rows than a block; cells and tallies agree."""
    rng, limits = np.random.default_rng(4), np.iinfo(dtype)
    few = rng.integers(0, 12, 40_000).astype(dtype)
    few[::7], few[1::7] = limits.min, limits.max
    for values in ((3, 7, "x", 5.0, "-2", 127), (4,), (int(limits.max), 1), ("007", True, 10**15), (0, 1 << 20)):
        domain = queries.Domain(values=values)
        wanted = chunks.cells(pd.Series(few.astype(str)).astype(object), domain)
        assert (chunks.cells(pd.Series(few), domain) == wanted).all()
        counts = np.bincount(wanted, minlength=len(values) + 1)
        assert chunks.tally(pd.Series(few), domain).tolist() == counts.tolist()
    assert chunks.tally(pd.Series(few[:0]), domain).tolist() == [0, 0, 0]


def test_a_sum_block_by_block_is_the_sum_of_whole_numbers() -> None:
    """Missing, infinite and huge values, values in the middle of two steps, none at all."""
    rng = np.random.default_rng(6)
    values = rng.normal(3, 50, 100_001)
    values[::11], values[5::1001], values[7::1003] = np.nan, 1e308, -1e308
    values[3::13] = (rng.integers(-999, 999, len(values[3::13])) + 0.5) / (1 << 20) * 30 + 2
    for part in (values, values[:1], values[:0], values[10:40_000], np.full(5, np.nan)):
        assert vectors._added(part, 2.0, 30.0) == int(vectors._fixed(part, 2.0, 30.0).sum())


@pytest.mark.shared
def test_figures_of_the_census_are_near_the_true_ones(shared: Path) -> None:
    """Real data with texts, missing cells and rare countries."""
    table = shared / "adult_census" / "train.csv.gz"
    asked = release.ask(queries.read({
        "loss": {"epsilon": 1.0, "delta": 1e-6},
        "domains": {"sex": {"values": ["Male", "Female"]}, "education_num": {"edges": [1, 9, 13, 17]}},
        "queries": [
            {"name": "rich men", "what": "count", "where": 'income == ">50K" and sex == Male'},
            {"name": "hours", "what": "mean", "column": "hours_per_week", "bounds": [0, 100]},
            {"name": "ages", "what": "quantiles", "column": "age", "bounds": [16, 80], "bins": 64},
            {"name": "schooling", "what": "contingency", "columns": ["sex", "education_num"]},
            {"name": "countries", "what": "table", "by": ["native_country"]},
        ],
    }))  # fmt: skip
    ledger = Ledger(None, "census")
    ledger.open("census", budget_of(1.0, 1e-5))
    parts = chunks.parts(table, asked.release.columns(), ("?",))
    raw, totals, _ = release.run(asked, parts, ledger, "census")
    told = {one["name"]: one["cells"] for one in json.loads(raw)["answers"]}
    frame = pd.read_csv(table, na_values=["?"])
    assert totals.rows == len(frame) == 32_561
    rich = ((frame["income"] == ">50K") & (frame["sex"] == "Male")).sum()
    assert told["rich men"][0]["value"] == pytest.approx(rich, abs=150)
    assert told["hours"][0]["value"] == pytest.approx(frame["hours_per_week"].mean(), abs=0.5)
    assert told["ages"][1]["value"] == pytest.approx(frame["age"].median(), abs=2)
    assert told["countries"][0]["cell"].keys() == {"native_country"}
    assert 5 < len(told["countries"]) < frame["native_country"].nunique()
    assert "Holand-Netherlands" not in str(told["countries"])
