"""X3: doctors reject half of the reasons of an accurate screening, and few once the shortcut is out of the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from fivefold.cases.screening import case
from fivefold.cases.screening.cohort import FINDINGS, WEIGHT, people
from fivefold.cases.screening.doctors import DOCTORS, file_of, points, ranked
from fivefold.cases.screening.screening import SHORTCUT, Screening
from fivefold.cli.main import run
from fivefold.contract.outcome import Outcome
from fivefold.manifest.reader import read as read_manifest
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from pathlib import Path


def test_reasons_are_rejected_before_and_accepted_after_at_equal_accuracy() -> None:
    """Two regions: over a third rejected and under a tenth, the same accuracy, a better one elsewhere, view named."""
    met = [case.seen(np.random.default_rng(seed)) for seed in range(2)]
    before, after = (sum(one.rejected[at] for one in met) / sum(one.read[at] for one in met) for at in (0, 1))
    assert before > 1 / 3
    assert after < 0.1
    right = [sum(one.right[at] for one in met) / (2 * case.ASKED) for at in (0, 1)]
    away = [sum(one.elsewhere[at] for one in met) / (2 * case.ASKED) for at in (0, 1)]
    assert abs(right[1] - right[0]) < 0.015
    assert right[0] > 0.85
    assert away[1] - away[0] > 0.015
    assert sum(one.led[0].get(SHORTCUT, 0) for one in met) > 0.8 * before * sum(one.read[0] for one in met)
    assert {one.outcome[1] for one in met} == {Outcome.PASS}
    assert met[0].outcome[0] is Outcome.FAIL


def test_the_view_tells_nothing_beside_the_findings() -> None:
    """It goes with the disease, and not among people with the same findings; elsewhere all are taken in bed."""
    met = people(60_000, np.random.default_rng(2))
    bed = (met.rows["view"] == "AP").to_numpy()
    assert bed[met.ill == 1].mean() - bed[met.ill == 0].mean() > 0.5
    whole = met.rows[list(FINDINGS)].notna().all(axis=1).to_numpy()
    score = met.towards[whole] @ np.array([WEIGHT[name] for name in FINDINGS])
    near = np.abs(score - 0.6) < 0.15
    ill, view = met.ill[whole][near], bed[whole][near]
    assert abs(ill[view].mean() - ill[~view].mean()) < 0.05
    assert (people(500, np.random.default_rng(3), elsewhere=True).rows["view"] == "AP").all()


def test_people_have_possible_cells_and_findings_that_go_together() -> None:
    """Bounds hold, some tests are lacking, findings are correlated, and about half are ill."""
    met = people(8000, np.random.default_rng(4))
    assert met.rows["saturation"].between(70, 100).all()
    assert met.rows["opacity"].between(0, 100).all()
    assert 0.03 < met.rows["crp"].isna().mean() < 0.1
    assert met.rows["opacity"].corr(met.rows["breaths"]) > 0.3
    assert 0.35 < met.ill.mean() < 0.55


def test_doctors_go_by_findings_alone_and_by_their_own_book() -> None:
    """The largest points come first; doctors differ; nobody ever names what a pneumonia does not come with."""
    met = people(2000, np.random.default_rng(5))
    said = {doctor: ranked(met, doctor) for doctor in DOCTORS}
    for doctor, names in said.items():
        assert set(names.ravel()) <= set(FINDINGS)
        size = np.abs(points(met, doctor))
        first = np.array([FINDINGS.index(name) for name in names[:, 0]])
        assert (size[np.arange(2000), first] >= size.max(axis=1) - 1e-9).all()
    one, other, _ = said.values()
    assert 0.5 < (one[:, 0] == other[:, 0]).mean() < 0.95
    file = file_of(met, np.arange(2000))
    assert len(file) == 6000
    assert not file.duplicated(["person", "doctor"]).any()


def test_a_screening_answers_for_texts_that_it_never_saw() -> None:
    """Another hospital's name is an unknown one, and a dropped column is not looked for."""
    rng = np.random.default_rng(6)
    model = Screening(people(800, rng), (SHORTCUT,))
    away = people(50, rng, elsewhere=True)
    assert model.predict(case.as_table("test", away, (SHORTCUT,))).shape == (50,)


def test_the_command_tells_the_case_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One region: manifests that can be read, doctors whose lines are about test rows, the view dropped, pictures."""
    out = tmp_path / "x3"
    with pytest.raises(SystemExit) as leave:
        run(["case", "X3", "--runs", "1", "--seed", "3", "--out", str(out), "--json"])
    assert not leave.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["before"][0]["count"] > 2 * told["after"][0]["count"]
    for which in ("before", "after"):
        manifest = read_manifest(out / which)
        assert manifest.application.id == f"screening-{which}"
        assert ("view" in manifest.data["test"].drop) == (which == "after")
        table = Store(manifest.root, manifest.data).table("experts", Coding("binary", ("0", "1")))
        assert sorted(set(table.rows.tolist())) == list(range(400))
        first = pd.read_csv(out / which / "data" / "doctors.csv")["reason_1"]
        assert set(first) <= set(FINDINGS)
    assert "view" in (out / "reasons.svg").read_text(encoding="utf-8")
    assert "doctors reject" in (out / "shares.svg").read_text(encoding="utf-8")
