"""X4: a model that remembers tells a gene of its patients, a private one does not; the command's own words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from tests.truth.subjects import context, table

from fivefold.cases.dosage import cohort
from fivefold.cases.dosage.harming import fit
from fivefold.cases.genetics import applications, attacking, case, learning, tradeoff
from fivefold.cli.main import run
from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.contract.subject import Capabilities, SettingsView
from fivefold.manifest.reader import read as read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.subject import Table
    from fivefold.protection.attribute.attack import Guess


@pytest.fixture(scope="module")
def some() -> tuple[attacking.Patients, pd.DataFrame, np.ndarray]:
    """Patients of whom the attacker has half, and all rows and doses."""
    rng = np.random.default_rng(1)
    rows = cohort.patients(1500, rng)
    dose = cohort.doses(rows, rng)
    return attacking.patients(rows, dose, rng), rows, dose


def lead(of: attacking.Patients, guess: Guess) -> float:
    """Return how many more of the other half are guessed rightly than without the model."""
    held = ~of.world.fit
    return float((guess.given == of.world.codes)[held].mean() - (of.base.given == of.world.codes)[held].mean())


def test_memory_is_told_before_and_not_after() -> None:
    """One cohort: at least 6 points on patients learned from, 3 at most on others and after; read doses tell more."""
    one = case.seen(np.random.default_rng(2), rows=2000)
    inside, outside = one.guessed
    assert inside.lead("before") >= 0.06
    assert max(outside.lead("before"), inside.lead("line"), inside.lead("after"), outside.lead("after")) <= 0.03
    assert outside.lead("read before") >= 0.2
    assert 0.05 <= outside.lead("read after") <= outside.lead("read before") - 0.05
    assert outside.lead("without", over="published") >= 0.03, "the guess without the model is no straw man"


def test_frequencies_are_those_of_the_alleles() -> None:
    """Hardy-Weinberg by race, in the order of the rows; what was not measured stands last."""
    one, other = attacking.frequencies(np.array(["White", "Asian", "White"], dtype=object))
    assert one[0] == pytest.approx([0.36, 0.48, 0.16])
    assert one[1] == pytest.approx([0.01, 0.18, 0.81])
    assert (one[2] == one[0]).all()
    assert other.sum(axis=1) == pytest.approx(1.0)
    assert other[0, 0] == pytest.approx(0.94 * 0.64)
    assert other[0, -1] == 0.06


def test_a_model_that_knows_no_gene_tells_none(some: tuple[attacking.Patients, pd.DataFrame, np.ndarray]) -> None:
    """By the clinical rule: reading its dose changes no guess, asking it leads to nothing."""
    of = some[0]
    said, answers = cohort.clinical(of.rows), attacking.asked(of, cohort.clinical)
    assert (attacking.by_answer(of, said, answers).given == of.base.given).all()
    assert lead(of, attacking.by_dose(of, said, answers, np.random.default_rng(0))) <= 0.01


def test_a_model_that_repeats_its_rows_tells_nearly_all(
    some: tuple[attacking.Patients, pd.DataFrame, np.ndarray],
) -> None:
    """Planted: the stable dose for the true types, a line for others; nine in ten are guessed."""
    of, rows, dose = some
    line = fit(rows, dose)
    answers = attacking.asked(of, line)
    answers[np.arange(len(of.rows)), of.world.codes] = of.dose[:, None]
    guess = attacking.by_dose(of, of.dose, answers, np.random.default_rng(0))
    assert (guess.given == of.world.codes)[~of.world.fit].mean() >= 0.9


def test_the_other_half_is_not_looked_at(some: tuple[attacking.Patients, pd.DataFrame, np.ndarray]) -> None:
    """Types of the other half dealt out anew: the very same guesses."""
    of, rows, dose = some
    shuffled = rows.copy()
    known = np.flatnonzero(rows["vkorc1"].isin(attacking.TYPES))
    others = known[~of.world.fit]
    shuffled.loc[others, "vkorc1"] = np.roll(rows["vkorc1"].to_numpy()[others], 1)
    rng = np.random.default_rng(1)
    cohort.doses(cohort.patients(1500, rng), rng)
    again = attacking.patients(shuffled, dose, rng)
    assert (again.world.fit == of.world.fit).all()
    assert (again.base.given == of.base.given).all()
    line = fit(rows, dose)
    guesses = [attacking.by_dose(one, line(one.rows), attacking.asked(one, line), np.random.default_rng(0))
               for one in (of, again)]  # fmt: skip
    assert (guesses[0].given == guesses[1].given).all()


def test_the_private_model_is_the_line_where_privacy_costs_nothing() -> None:
    """At a large epsilon the odds of one cut give the dose that a regression on all doses gives, within a tenth."""
    rng = np.random.default_rng(3)
    rows, asked = cohort.patients(6000, rng), cohort.patients(500, rng)
    dose = cohort.doses(rows, rng)
    off = learning.private(rows, dose, rng, epsilon=100.0)(asked) / fit(rows, dose)(asked) - 1
    assert abs(np.median(off)) < 0.05
    assert np.median(np.abs(off)) < 0.1


def test_a_coarse_dose_is_the_middle_of_its_step() -> None:
    """In steps of 10 mg, and as it is written down to a tenth."""
    given = pd.DataFrame({"dose": [30.04, 39.9, 2.2]})
    for shaping, wanted in ((learning.COARSE, [35, 35, 5]), (learning.EXACT, [30, 39.9, 2.2])):
        assert learning.told(lambda rows: rows["dose"].to_numpy(), shaping)(given).tolist() == pytest.approx(wanted)


@dataclass(frozen=True)
class Proposing:
    """A model of doses as a subject of checks."""

    model: learning.Model
    task: str = "regression"
    classes: tuple[str, ...] = ()

    @property
    def capabilities(self) -> Capabilities:
        """It answers for any row."""
        return Capabilities(scores=False, retrains=False, perturbable=True)

    def predict(self, asked: Table) -> np.ndarray:
        """Return (n,) doses."""
        return self.model(asked.features)


def test_the_check_fails_before_and_passes_after() -> None:
    """P3.attribute at the floor of the written manifests: the forest gives the gene away, the private model not."""
    rng = np.random.default_rng(5)
    rows, others = cohort.patients(2500, rng), cohort.patients(600, rng)
    dose = cohort.doses(rows, rng)
    tables = {"train": table("train", rows, dose), "test": table("test", others, cohort.doses(others, rng))}
    outcomes = []
    for model in (learning.forest(rows, dose, rng), learning.told(learning.private(rows, dose, rng), learning.COARSE)):
        given = context("P3.attribute", Proposing(model), tables, 6, thresholds={"max_advantage": 0.05},
                        settings=SettingsView(personal=("vkorc1",)))  # fmt: skip
        outcomes.append(resolve("P3.attribute")(given).outcome)
    assert outcomes == [Outcome.FAIL, Outcome.PASS]


def test_the_command_tells_the_case(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One small cohort, as JSON: the figures of before and after, and the same again for the same seed."""
    monkeypatch.setattr(case, "seen", partial(case.seen, rows=600))
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as leave:
            run(["case", "X4", "--runs", "1", "--seed", "3", "--json"])
        assert not leave.value.code
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert said[0]["id"] == "X4"
    assert said[0]["before"][0]["count"] > said[0]["after"][0]["count"]
    assert said[0]["before"][5]["n"] == 600
    assert "bounds" not in " ".join(said[0]["example"]), "one cohort has no bounds"


def test_bounds_and_the_group_of_most_harm_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cohorts made by hand: mean and bounds in words; the group with the largest lead is named."""
    n = 400
    race, sex = np.repeat(["Asian", "White"], n // 2), np.tile(["f", "m"], n // 2)
    right = np.zeros((len(case.WAYS), n), dtype=bool)
    right[case.WAYS.index("before"), n // 2 : n // 2 + 80] = True
    parts = iter([right.copy() for _ in range(3)])
    monkeypatch.setattr(
        case, "seen", lambda _rng: case.Seen((case.Guessed(next(parts), race, sex),) * 2, n, (100, 100, 100, 100))
    )
    told = case.run(3, 1)
    assert told.example[2] == "Lead before, patients learned from: +20.0 of 100 patients (95 % bounds +20.0 and +20.0)."
    line = next(line for line in told.example if line.startswith("By group, patients learned from, before"))
    assert "Asian +0.0, White +40.0, women +20.0, men +20.0; most White" in line


def test_what_is_written_are_two_applications_and_two_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifests that can be read; the stored model gives the doses of the case; curves have a place for each model."""
    curves, small = tradeoff.curves, partial(case.drawn, rows=500)
    monkeypatch.setattr(applications, "drawn", small)
    monkeypatch.setattr(tradeoff, "EPSILONS", (1.0,))
    monkeypatch.setattr(tradeoff, "curves", lambda cohorts, seed: curves(cohorts, seed, 500))
    figures = tuple(case.Figure(what, 1, 2, good=False) for what in ("types", "the same without the model", "doses"))
    out = tmp_path / "x4"
    applications.write(out, case.Told("X4", "", (), figures, figures, (), (), 3))
    for which in ("before", "after"):
        manifest = read_manifest(out / which)
        assert manifest.application.id == f"genes-{which}"
        spec = spec_from_file_location("train", out / which / "train.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        rows = pd.read_csv(out / which / "data" / "test.csv", keep_default_na=False)
        given = module.load().predict(rows)
        assert np.corrcoef(given, rows["dose"])[0, 1] > 0.3
        step = 0.1 if which == "before" else learning.STEP
        assert given / step == pytest.approx(np.round(given / step - (which == "after") / 2) + (which == "after") / 2)
    rng = np.random.Generator(np.random.PCG64([3, 0]))
    one = small(rng)
    model = learning.told(learning.private(one.rows[0], one.dose[0], rng), learning.COARSE)
    assert (model(rows) == given).all()
    drawn = ET.fromstring((out / "price.svg").read_text(encoding="utf-8"))
    names = [element.tag.rpartition("}")[2] for element in drawn]
    assert names.count("polyline") == 7
    assert names.count("circle") == 3 * 3 + 4 * len(tradeoff.STEPS)
    assert "without the model" in "".join(ET.fromstring((out / "guessed.svg").read_text(encoding="utf-8")).itertext())
