"""Rows of which a key chose one of two variants: marked, committed to, learnt, told; and nobody else is accused."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest, rankdata
from sklearn.ensemble import RandomForestClassifier

from fivefold.cli.main import run
from fivefold.contract.subject import Table
from fivefold.errors import InputError, TrustError
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.log.witness import Witness
from fivefold.manifest.reader import read
from fivefold.store.witnessed import Witnessed
from fivefold.traceability.watermark import claims, committing, pairs, questions

if TYPE_CHECKING:
    from pathlib import Path


def _frame(count: int, seed: int = 0) -> pd.DataFrame:
    """Floats with gaps, whole numbers, a column of mostly zeros, texts, truth values and days."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "x": rng.normal(size=count).round(2), "z": rng.normal(size=count), "age": rng.integers(18, 90, count),
        "gain": np.where(rng.random(count) < 0.9, 0, rng.integers(1, 9000, count)),
        "town": rng.choice(["A", "B"], count), "own": rng.random(count) < 0.5,
        "day": rng.choice(["2026-01-01", "2026-05-01"], count),
    })  # fmt: skip
    frame.loc[::7, "x"] = np.nan
    return frame


def _table(count: int, inputs: np.ndarray | None = None) -> Table:
    target = np.random.default_rng(5).integers(0, 2, count)
    frame = _frame(count) if inputs is None else pd.DataFrame(index=pd.RangeIndex(count))
    kind = "table" if inputs is None else "image"
    return Table("train", np.arange(count), frame, target, pd.DataFrame(index=frame.index), inputs=inputs, kind=kind)


def _marked(table: Table, **how: Any) -> pairs.Chosen:
    return pairs.marked(table, ("no", "yes"), np.random.default_rng(1), **{"share": 0.5, "step": 0.1, **how})


def test_only_numbers_move_a_little_and_stay_of_their_kind() -> None:
    """Gaps, texts, days, truth values and the frequent zero stay; decimals, types and ranges are kept."""
    table = _table(400)
    made = _marked(table, keep=("z",))
    before, after = table.features.iloc[made.rows].reset_index(drop=True), made.table.features
    assert 190 <= len(made.rows) <= 200
    assert dict(before.dtypes) == dict(after.dtypes)
    pd.testing.assert_frame_equal(before[["z", "town", "own", "day"]], after[["z", "town", "own", "day"]])
    assert after.loc[before["gain"] == 0, "gain"].eq(0).all()
    assert before["x"].isna().equals(after["x"].isna())
    moved = (before["x"] - after["x"]).abs().dropna()
    assert moved.max() <= 0.12
    assert (moved > 0).mean() > 0.8
    assert np.allclose(after["x"].dropna(), after["x"].dropna().round(2), rtol=0, atol=1e-12)
    assert after["age"].between(table.features["age"].min(), table.features["age"].max()).all()
    assert made.cells < 0.5 * 3 / 7
    assert made.largest <= 0.2


def test_the_chosen_variant_is_the_one_that_is_released() -> None:
    """Of each pair the coin names the one in the copy; the other is as far from the original, on the other side."""
    table = _table(200)
    made = _marked(table)
    both = questions.unpacked(made.opening.inputs, made.opening.classes).features["age"].to_numpy().reshape(2, -1)
    coins = pairs.wanted(made.opening)
    np.testing.assert_array_equal(made.table.features["age"], both[coins, np.arange(len(coins))])
    np.testing.assert_allclose(both.mean(axis=0), table.features["age"].to_numpy()[made.rows])
    assert 0.3 < coins.mean() < 0.7


def test_pictures_are_marked_but_not_their_background() -> None:
    """uint8 stays; a frequent value stays."""
    pictures = np.random.default_rng(1).integers(0, 255, (60, 1, 6, 6)).astype(np.uint8)
    pictures[:, :, :3] = 0
    made = _marked(_table(60, pictures), share=1.0)
    shown, old = made.table.inputs, pictures[made.rows]
    assert shown is not None
    assert shown.dtype == np.uint8
    assert (shown[:, :, :3] == 0).all()
    assert 0 < np.abs(shown.astype(int) - old).max() <= 26


@pytest.mark.parametrize(("how", "count"), [({"share": 0.0}, 200), ({"step": 2.0}, 200), ({"share": 0.1}, 100)])
def test_what_bears_no_mark_is_refused(how: dict[str, float], count: int) -> None:
    """No share, too large a change, too few rows."""
    with pytest.raises(InputError) as caught:
        _marked(_table(count), **how)
    assert caught.value.code == ("mark.inputs" if how == {"share": 0.1} else "mark.share")


def test_the_tail_is_that_of_all_sign_flips() -> None:
    """Against the enumeration of all 4,096 coins; equal sizes give the sign test; no preference gives 1."""
    gap = np.random.default_rng(3).normal(size=12)
    weights = np.ceil(32 * rankdata(np.abs(gap)) / 12)
    every = np.array(list(itertools.product((0, 1), repeat=12)))
    counts = ((gap > 0) == (every == 0)) @ weights
    for coins, reached in zip(every[::97], counts[::97], strict=True):
        assert pairs.p_of(gap, coins) == pytest.approx((counts >= reached).mean(), rel=1e-9)
    same, coins = np.ones(40), np.r_[np.zeros(30, int), np.ones(10, int)]
    assert pairs.p_of(same, coins) == pytest.approx(binom.sf(29, 40, 0.5), rel=1e-9)
    assert pairs.p_of(np.zeros(5), np.zeros(5, int)) == 1.0


def test_keys_that_a_model_never_met_give_uniform_p_values() -> None:
    """A forest on the original rows, 200 fresh keys: none is accused; a forest on the marked rows is."""
    table = _table(400)
    made = _marked(table)
    whole = table.features[["x", "z", "age", "gain"]].fillna(0.0).to_numpy(dtype=float)

    def said(numbers: np.ndarray) -> np.ndarray:
        asked = questions.unpacked(made.opening.inputs, made.opening.classes).features
        model = RandomForestClassifier(40, random_state=0).fit(numbers, table.target)
        return model.predict_proba(asked[["x", "z", "age", "gain"]].fillna(0.0).to_numpy(dtype=float))

    innocent, rng = said(whole), np.random.default_rng(2)
    ps = [pairs.read(innocent, msgspec.structs.replace(made.opening, key=rng.bytes(32))).p for _ in range(200)]
    assert kstest(ps, "uniform").pvalue > 1e-3
    assert min(ps) > 1e-6
    learnt = whole.copy()
    learnt[made.rows] = made.table.features[["x", "z", "age", "gain"]].fillna(0.0).to_numpy(dtype=float)
    assert pairs.read(said(learnt), made.opening).p < 1e-6


@pytest.mark.parametrize(
    "change", [{"inputs": b"1"}, {"classes": ("no", "si")}, {"targets": (0,) * 99 + (1,)}, {"key": bytes(31) + b"1"}]
)
def test_coins_follow_from_all_that_is_committed_to(change: dict[str, Any]) -> None:
    """Whoever exchanges variants, targets or classes draws all coins anew."""
    opening = pairs.RowsOpening(key=bytes(32), inputs=b"", targets=(0,) * 100, classes=("no", "yes"))
    assert (pairs.wanted(opening) != pairs.wanted(msgspec.structs.replace(opening, **change))).sum() > 20


@pytest.mark.parametrize("change", [{"key": b""}, {"targets": (0,)}, {"targets": (7,) * 30}, {"classes": ("a", "a")}])
def test_openings_that_are_none_are_refused(change: dict[str, Any]) -> None:
    """As are answers of another number."""
    opening = pairs.RowsOpening(key=bytes(32), inputs=b"", targets=(0,) * 30, classes=("no", "yes"))
    with pytest.raises(TrustError) as caught:
        claims.rows_of(msgspec.json.encode(msgspec.structs.replace(opening, **change)))
    assert caught.value.code == "mark.malformed"
    with pytest.raises(TrustError, match="59 answers"):
        pairs.read(np.zeros(59, int), opening)


def _run(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, Any]:
    with pytest.raises(SystemExit) as left:
        run([*words, "--json"])
    said = capsys.readouterr()
    assert (left.value.code or 0) == code, said
    found: dict[str, Any] = json.loads(said.out or said.err)
    return found


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_data_are_marked_claimed_and_told_by_the_commands(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores that prefer the chosen variants are told, the reverse is not, words for scores are refused."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (app := tmp_path / "app").mkdir()
    target = np.where(np.random.default_rng(5).random(200) < 0.5, "a", "b")
    pictures = np.random.default_rng(1).integers(0, 255, (200, 1, 4, 4)).astype(np.uint8)
    if kind == "csv":
        _frame(200).assign(y=target).to_csv(app / "train.csv", index=False)
    else:
        np.savez(app / "train.npz", x=pictures, y=target)
    data = {"path": f"train.{kind}", "target": "y", "kind": "table" if kind == "csv" else "image"}
    document = {"fivefold": 1, "application": {"id": "marked", "level": 1, "purpose": "p"}, "use": {"output": "label"},
                "data": {"train": data}}  # fmt: skip
    (app / "fivefold.yaml").write_text(json.dumps(document))
    owner, notary = store.new_key("signer", "Owner"), generate()
    trust = trust_file.add(trust_file.Trust(), owner.signer.public, name="Owner", roles=("signer",))
    trust = trust_file.add(trust, committing.log_signer().public, name="Log", roles=("log",))
    store.write_trust(trust_file.add(trust, notary.public, name="Notary", roles=("witness",)))
    out, claim, asked = tmp_path / f"out.{kind}", tmp_path / "claim.json", tmp_path / f"asked.{kind}"
    made = _run(["data", "mark", "--in", str(app), "--out", str(out), "--share", "0.5"], capsys)
    assert made["of"] == 200
    assert 90 <= made["rows"] <= 100
    if kind == "csv":
        before, after = pd.read_csv(app / "train.csv"), pd.read_csv(out)
        differ = ~(before.eq(after) | before.isna() & after.isna())
        assert made["cells"] * 200 * 7 == pytest.approx(differ.to_numpy().sum())
    else:
        with np.load(out) as file:
            assert ((file["x"] != pictures).any(axis=(1, 2, 3))).sum() == made["rows"]
            assert (file["y"] == target).all()
    memory = Witnessed(tmp_path / "witness.sqlite")
    witness = Witness("notary", notary, {committing.origin("marked"): (committing.log_signer().public,)}, memory)
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    known = trust_file.read(store.read_trust())
    committing.witness(read(app), lambda data: witness.add(data, int(at.timestamp())), known, at)
    memory.close()
    _run(["model", "claim", "--in", str(app), "--form", "rows", "--out", str(claim), "--questions", str(asked)], capsys)
    opening = claims.rows_of(claims.read(claim.read_bytes()).opening)
    count = len(pd.read_csv(asked)) if kind == "csv" else len(np.load(asked)["inputs"])
    assert count == 2 * len(opening.targets) == 2 * made["rows"]
    chosen = np.r_[pairs.wanted(opening) == 0, pairs.wanted(opening) == 1]
    said, own = tmp_path / "said.csv", ["model", "own", str(tmp_path / "said.csv"), "--claim", str(claim)]
    own += ["--released", "2026-12-01"]
    right = np.tile(opening.targets, 2)
    for better, code in ((chosen, 0), (~chosen, 1)):
        score = np.where(better, 0.9, 0.6)
        first = np.where(right == 0, score, 1 - score)
        pd.DataFrame({"a": first, "b": 1 - first}).to_csv(said, index=False)
        assert _run(own, capsys, code)["holds"] is not bool(code)
    pd.DataFrame({"answer": np.array(opening.classes)[np.where(chosen, right, 1 - right)]}).to_csv(said, index=False)
    assert _run(own, capsys)["claims"][0]["p"] == pytest.approx(1e-12)
    pd.DataFrame({"a": ["high"] * count, "b": ["low"] * count}).to_csv(said, index=False)
    assert _run(own, capsys, 2)["error"]["code"] == "mark.answers"
