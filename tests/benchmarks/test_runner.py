"""The benchmark runner counts children, keeps floors honest and answers with the right exit code."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.assess import CHECKS, unmeasured
from benchmarks.measure import Cost, run
from benchmarks.rows import Row, as_json, as_text, exit_code
from benchmarks.scale import COLUMNS, make

from benchmarks import peer_env

if TYPE_CHECKING:
    from pathlib import Path


def _row(ours: float | None, peer: float | None = 10.0, *, required: bool = True) -> Row:
    return Row("cpu", ours, peer, 0.3, "max", "s", required=required)


@pytest.mark.parametrize(
    ("rows", "absent", "code"),
    [
        ([_row(2.0)], False, 0),
        ([_row(4.0)], False, 1),
        ([_row(4.0, required=False), _row(2.0)], False, 0),
        ([_row(None)], True, 3),
        ([_row(None)], False, 1),
        ([_row(4.0), _row(None)], True, 1),
        ([_row(2.0), _row(None, required=False)], False, 0),
    ],
)
def test_exit_codes(rows: list[Row], absent: bool, code: int) -> None:
    """A missed row is 1 even if a peer is absent; an absent peer alone is 3; optional rows never count."""
    assert exit_code(rows, peers_absent=absent) == code


def test_a_figure_is_the_ratio_or_the_value() -> None:
    """With a peer the ratio is judged, without one the value itself; a floor may point either way."""
    assert _row(2.0).figure == pytest.approx(0.2)
    assert Row("help", 0.41, None, 0.40, "max", "s").status == "missed"
    assert Row("auc", 0.58, 0.55, 1.0, "min", "").status == "met"
    assert Row("auc", 0.54, 0.55, 1.0, "min", "").status == "missed"


def test_both_forms_say_the_same() -> None:
    """The table and the JSON name every row and its status."""
    rows = [_row(2.0), _row(None)]
    read = json.loads(as_json("assess", rows, 1))
    assert [row["status"] for row in read["rows"]] == ["met", "not measured"]
    assert "not measured" in as_text(rows)


def test_children_and_orphans_are_counted(tmp_path: Path) -> None:
    """A grandchild that burns time and outlives its parent is in the bill."""
    burn = "import time\nwhile time.process_time() < 0.6: pass"
    outer = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {burn!r}]); time.sleep(0.3)"
    cost = run([sys.executable, "-c", outer], cwd=tmp_path, env=dict(os.environ))
    assert cost.code == 0
    assert cost.cpu > 0.55


def test_memory_is_the_sum_over_the_family(tmp_path: Path) -> None:
    """100 MB held by a child is seen."""
    hold = "import time; held = bytearray(100_000_000); time.sleep(0.5)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    cost = run([sys.executable, "-c", outer], cwd=tmp_path, env=dict(os.environ), watch=True)
    assert cost.peak > 100_000_000


def test_a_peer_that_cannot_be_installed_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of pip becomes a reason, not a crash."""
    monkeypatch.setattr(peer_env, "REPO", tmp_path)
    with pytest.raises(peer_env.PeerAbsentError, match="could not install"):
        peer_env.ensure("none", (f"{tmp_path}/no-such-peer.whl",))


def test_the_large_application_has_its_columns(tmp_path: Path) -> None:
    """60 columns and the target, both tables together as many rows as asked for."""
    import pandas as pd

    size = make(tmp_path / "app", 200)
    parts = [pd.read_parquet(tmp_path / "app" / f"{name}.parquet") for name in ("train", "test")]
    assert sum(len(part) for part in parts) == 200
    assert all(part.shape[1] == COLUMNS + 1 for part in parts)
    assert size == 200 * COLUMNS * 8
    assert (tmp_path / "app" / "fivefold.yaml").is_file()


def test_strength_is_compared_on_equal_terms() -> None:
    """Bounds of ours and of the bootstrap cover about as promised, and the peers' job holds no row of ours."""
    from benchmarks.strength import coverage

    for ours, peer in coverage(400, 100).values():
        assert 0.90 < ours <= 1.0
        assert 0.85 < peer <= 1.0
    assert np.isfinite(list(coverage(40, 50).values())).all()


def _assessed(outcomes: dict[str, str], code: int = 1) -> Cost:
    findings = [{"check": name, "result": {"outcome": outcome}} for name, outcome in outcomes.items()]
    return Cost(1.0, 1.0, 0, code, json.dumps({"findings": findings}), "")


@pytest.mark.parametrize("broken", ["error", "not-run", "not-applicable", None])
def test_an_assessment_counts_only_if_every_check_measured(broken: str | None) -> None:
    """A crashed, skipped or absent check makes a run cheap, and the exit code may be that of an honest failure."""
    whole = dict.fromkeys(CHECKS, "inconclusive") | {"T2.signature": "fail"}
    assert not unmeasured(_assessed(whole))
    lacking = {name: outcome for name, outcome in whole.items() if name != "P3.membership"}
    spoiled = lacking | ({"P3.membership": broken} if broken else {})
    assert "P3.membership" in unmeasured(_assessed(spoiled))


def test_a_refused_or_silent_assessment_does_not_count() -> None:
    """Exit code 2, and output that is no JSON."""
    assert "ended with 2" in unmeasured(_assessed({}, code=2))
    assert unmeasured(Cost(1.0, 1.0, 0, 1, "Checks: 1 failed", ""))
