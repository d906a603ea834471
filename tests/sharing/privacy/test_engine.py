"""OpenDP as the engine of a release: same sums, same loss, said in the result; refused where it is not there."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.privacy import engine, measured, queries, release
from fivefold.sharing.privacy.ledger import Ledger
from fivefold.sharing.privacy.loss import Loss

ASKED: list[dict[str, Any]] = [
    {"name": "people", "what": "count"},
    {"name": "men", "what": "count", "where": "sex == m", "noise": "laplace"},
    {"name": "pay", "what": "sum", "column": "pay", "bounds": [0, 50]},
    {"name": "mean pay", "what": "mean", "column": "pay", "bounds": [-10, 80]},
    {"name": "spread", "what": "variance", "column": "pay", "bounds": [0, 80], "noise": "laplace"},
    {"name": "sexes", "what": "histogram", "column": "sex"},
    {"name": "pays", "what": "quantiles", "column": "pay", "bounds": [0, 80], "bins": 16},
    {"name": "both", "what": "contingency", "columns": ["sex", "band"]},
]


def _told(**more: Any) -> dict[str, Any]:
    domains = {"sex": {"values": ["m", "f"]}, "band": {"edges": [0, 1, 2, 3]}}
    return {"loss": {"rho": 0.5, "delta": 1e-9}, "queries": ASKED, "domains": domains, "engine": "opendp",
            "unit": {"column": "who", "rows": 3}, **more}  # fmt: skip


def _rows(count: int = 6000) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame({
        "sex": rng.choice(["m", "f"], count), "band": rng.integers(0, 4, count), "pay": rng.normal(30, 9, count),
        "who": rng.integers(0, count // 2, count),
    })  # fmt: skip


def test_opendp_makes_the_noise_and_the_result_says_so() -> None:
    """Every kind of query but found groups; figures near the exact ones; the ledger is told the same as for ours."""
    pytest.importorskip("opendp", reason="the extra opendp is not installed")
    asked, results = release.ask(queries.read(_told())), {}
    for name in ("opendp", "fivefold"):
        made = release.ask(queries.read(_told(engine=name)))
        ledger = Ledger(None, name)
        ledger.open("register", Loss(10**9, 10**12))
        raw, totals, _ = release.run(made, [_rows()], ledger, "register")
        results[name] = json.loads(raw)
        (entry,) = ledger.entries("register")
        assert (entry.rho, entry.delta) == tuple(asked.loss)
        assert results[name]["noise"] == {"engine": name, "version": engine.version(name)}
    exact = {one["name"]: one["cells"] for one in release.exact(asked, totals)}
    for answer in results["opendp"]["answers"]:
        for told, true in zip(answer["cells"], exact[answer["name"]], strict=True):
            width = max(told["high"] - told["low"], 1e-9)
            assert told["low"] - 2 * width <= true["value"] <= told["high"] + 2 * width
    assert results["opendp"]["loss"] == results["fivefold"]["loss"]


def test_its_noise_is_as_wide_as_the_law() -> None:
    """Deviation of many draws; no two alike; and its map never says more than was reserved."""
    pytest.importorskip("opendp", reason="the extra opendp is not installed")
    vectors = release.ask(queries.read(_told())).vectors
    add = engine.opendp(vectors)
    drawn = [add([np.zeros(v.size, dtype=np.int64) for v in vectors]) for _ in range(400)]
    for at, vector in enumerate(vectors):
        each = np.concatenate([one[at] for one in drawn])
        assert abs(each.std() / vector.law.deviation - 1) < 8 / math.sqrt(len(each))
        assert abs(each.mean()) < 6 * vector.law.deviation / math.sqrt(len(each))
    assert len({np.concatenate(one).tobytes() for one in drawn}) == 400


def test_without_the_extra_it_is_refused_before_anything_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the remedy; the ledger is as it was."""
    monkeypatch.setitem(sys.modules, "opendp", None)
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    ledger = Ledger(None, "none")
    ledger.open("register", Loss(10**9, 10**12))
    with pytest.raises(InputError) as caught:
        release.run(release.ask(queries.read(_told())), [_rows(50)], ledger, "register")
    assert caught.value.code == "privacy.engine"
    assert "fivefold[opendp]" in caught.value.remedy
    assert not ledger.entries("register")


def test_what_it_does_not_do_is_refused() -> None:
    """Groups that are found in the data, an engine that nobody knows, and checks that draw from a seed."""
    found = {"name": "towns", "what": "table", "by": ["who"]}
    for told in (_told(queries=[found]), _told(engine="numpy")):
        with pytest.raises(InputError) as caught:
            queries.read(told)
        assert caught.value.code == "privacy.query"
    with pytest.raises(UnsupportedError) as refused:
        measured.ours(release.ask(queries.read(_told())))
    assert refused.value.code == "privacy.engine"
    assert measured.ours(made := release.ask(queries.read(_told(engine="fivefold")))) is made
