"""P1.certificate: radii are those of the mathematics, votes are the noise that was declared, lies are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml
from msgspec.structs import replace as replaced
from scipy.stats import binomtest, norm
from tests.truth import certified
from tests.truth.subjects import table

from fivefold.assess.run import Options as Run
from fivefold.assess.run import assess
from fivefold.contract.codec import canonical
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView
from fivefold.errors import InputError, UnsupportedError
from fivefold.evidence.consistency import contradictions
from fivefold.manifest.reader import read as manifest_of
from fivefold.protection.evasion.smooth import attack, certify, check
from fivefold.protection.evasion.smooth.options import Options, read
from fivefold.protection.evasion.smooth.voting import Voters, lens
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from pathlib import Path

WIDE = Options(sigma=0.5, votes=2000, select=50)


def numbers(rows: int = 200, columns: int = 3) -> tuple[spaces.Space, np.ndarray, object]:
    """Return the space of some columns of quite different width, their rows, and the table."""
    drawn = np.random.default_rng(3).normal(size=(rows, columns)) * [1.0, 100.0, 0.01][:columns]
    made = table(
        "train", pd.DataFrame(drawn, columns=[f"n{at}" for at in range(columns)]), np.zeros(rows, dtype=np.int64)
    )
    space = spaces.of_tables([made], {})
    return space, space.encode(made), made


def figures(result: object) -> dict[str, float | None]:
    """Return measures by name and place."""
    return {f"{one.name} {one.where}".strip(): one.value for one in result.measures}  # type: ignore[attr-defined]


def test_radii_are_those_of_the_paper() -> None:
    """Of a plane, whose share is exactly Phi(distance / sigma), each radius is its Clopper-Pearson bound's quantile."""
    space, values, made = numbers()
    glass = lens(space, made)  # type: ignore[arg-type]
    assert np.allclose(glass.scale, values.std(axis=0))
    cut = 0.3 * glass.scale[0]
    voters = Voters(glass, lambda asked, _: (asked[:, 0] > cut).astype(np.int64), 2)
    rows = np.arange(len(values))
    found = certify.certify(voters, values, rows, WIDE, np.random.default_rng(0))
    away = np.abs(values[:, 0] - cut) / glass.scale[0]
    assert (found.radius <= away + 1e-12).mean() >= 0.99
    votes = voters(values, rows, WIDE.votes, np.random.default_rng(1), sigma=np.full(len(rows), WIDE.sigma))
    hits = votes.counts.max(axis=1)
    by_hand = [binomtest(int(one), WIDE.votes).proportion_ci(1 - 2 * WIDE.alpha).low for one in hits[:20]]
    expected = np.maximum(WIDE.sigma * norm.ppf(np.maximum(by_hand, 0.5)), 0)
    assert np.allclose(certify.radius(votes, votes.counts.argmax(axis=1), WIDE)[:20], expected, atol=1e-9)
    inner = (away > 0.2) & (away < 0.8)  # 2,000 votes take off some; values are cut to the range that was seen
    assert np.abs(found.radius[inner] - away[inner]).max() < 0.2
    assert (found.answers[~found.sure] == certify.ABSTAINED).all()


def test_noise_has_the_declared_deviation_in_each_column_and_leaves_the_rest() -> None:
    """Numbers are noised by sigma times their deviation; flags, categories, immutable and missing cells are not."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "wide": 1000 * rng.normal(size=400), "whole": rng.integers(0, 50, 400), "flag": rng.integers(0, 2, 400),
        "kind": np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, 400)], "age": rng.normal(size=400),
        "gone": np.where(rng.random(400) < 0.5, np.nan, rng.normal(size=400)),
    })  # fmt: skip
    made = table("train", frame, np.zeros(400, dtype=np.int64))
    space = spaces.of_tables([made], {"age": {"immutable": True}})
    glass = lens(space, made)
    assert [space.columns[at].name for at in glass.columns] == ["wide", "whole", "gone"]
    seen: list[np.ndarray] = []

    def answer(asked: np.ndarray, rows: np.ndarray) -> np.ndarray:
        seen.append(asked)
        return np.zeros(len(rows), dtype=np.int64)

    values = space.encode(made)[:3]
    Voters(glass, answer, 2)(values, np.arange(3), 4000, rng, sigma=np.full(3, 0.1))
    asked = np.concatenate(seen).reshape(3, 4000, -1)
    assert np.isclose(asked[:, :, 0].std(axis=1) / frame["wide"].std(ddof=0), 0.1, rtol=0.1).all()
    assert (asked[:, :, 1] % 1 == 0).all()
    kept = [2, 3, 4]
    assert np.array_equal(np.broadcast_to(values[:, None, kept], asked[:, :, kept].shape), asked[:, :, kept])
    assert np.array_equal(np.isnan(asked).any(axis=1), np.isnan(values))


def test_calls_are_bounded_and_rows_share_them() -> None:
    """Forty rows with a hundred votes are one call; a small limit splits them, and counts stay whole."""
    space, values, made = numbers()
    sizes: list[int] = []

    def answer(asked: np.ndarray, _: np.ndarray) -> np.ndarray:
        sizes.append(len(asked))
        return np.zeros(len(asked), dtype=np.int64)

    for most, calls in ((50_000, 1), (150, 27)):
        sizes.clear()
        voters = Voters(lens(space, made), answer, 2, most)  # type: ignore[arg-type]
        votes = voters(values[:40], np.arange(40), 100, np.random.default_rng(0), sigma=np.ones(40),
                       own=np.zeros(40, dtype=np.int64))  # fmt: skip
        assert len(sizes) == calls
        assert (votes.counts[:, 0] == 100).all()
        assert not votes.pull.any()


def test_points_stay_inside_of_the_radius() -> None:
    """Also those that are put on whole steps: no point that is asked about is farther than its radius."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"whole": rng.integers(0, 9, 300), "free": rng.normal(size=300)})
    made = table("train", frame, np.zeros(300, dtype=np.int64))
    space = spaces.of_tables([made], {})
    glass, values = lens(space, made), space.encode(made)[:50]
    voters = Voters(glass, lambda asked, _: (asked[:, 1] > 0).astype(np.int64), 2)
    own = (values[:, 1] > 0).astype(np.int64)
    for bare in (True, False):
        claims = attack.Claims(values, np.arange(50), own, rng.uniform(0.1, 1, 50), np.full(50, 0.2), bare)
        search = attack.attack(
            voters, claims, 10, rng, first=np.zeros((50, 2)), public=attack.known(voters, values, rng)
        )
        far = np.linalg.norm((search.points(search.by) - values) / glass.scale, axis=1)
        assert (far <= claims.radius).all()
        assert (far[~np.isinf(search.share)] > 0).any()
        if bare:
            met = np.abs(values[:, 1]) / glass.scale[1] < 0.9 * claims.radius
            assert search.violated(25, 0.001)[met].mean() > 0.9
            assert not search.violated(25, 0.001)[np.abs(values[:, 1]) / glass.scale[1] > claims.radius].any()


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"sigma": 0}, "sigma"),
        ({"alpha": 0.2}, "alpha"),
        ({"votes": 3}, "votes"),
        ({"noise": 1}, "noise"),
        (7, "object"),
    ],
)
def test_odd_options_are_refused(told: object, word: str) -> None:
    """A figure out of range, an unknown key and no mapping are told by name."""
    with pytest.raises(InputError, match=word) as error:
        read({"P1": {"certificate": told}})
    assert error.value.code == "evasion.certificate"


def test_without_a_declaration_nothing_is_measured() -> None:
    """The check does not run where no certificate is declared, nor where its column is missing."""
    made = certified.numbers(1, by=1.0, rows=40)
    with pytest.raises(UnsupportedError) as error:
        check.run(replace(made, settings=SettingsView()))
    assert error.value.code == "evasion.certificate"
    odd = SettingsView(controls={"P1": {"certificate": {"radius": "nowhere"}}})
    with pytest.raises(UnsupportedError, match="nowhere"):
        check.run(replace(made, settings=odd))


def test_nothing_certified_is_no_pass() -> None:
    """Noise that drowns every row leaves nothing to judge, and few rows are too few."""
    made = certified.voted(2, rows=60)
    settings = SettingsView(controls={"P1": {"certificate": {"sigma": 9.0, "votes": 60, "select": 10}}})
    result = check.run(replace(made, settings=settings))
    assert result.outcome is Outcome.INCONCLUSIVE
    few = check.run(made)
    assert few.outcome is Outcome.INCONCLUSIVE
    assert few.canary is not None
    assert few.canary.noticed


def test_the_budget_of_calls_is_kept() -> None:
    """An endpoint with few calls certifies fewer rows, never overdraws half of them, and too few are refused."""
    made = certified.voted(3, rows=350)
    asked = 0

    class Dear:
        def __init__(self, calls: int) -> None:
            self.left = calls
            self.capabilities = replace(made.subject.capabilities, calls_left=calls, max_rows=2000)  # type: ignore[union-attr]

        def __getattr__(self, name: str) -> object:
            return getattr(made.subject, name)

        def predict(self, rows: object) -> np.ndarray:
            nonlocal asked
            asked += 1
            return made.subject.predict(rows)  # type: ignore[union-attr, arg-type]

    result = check.run(replace(made, subject=Dear(300)))  # type: ignore[arg-type]
    assert asked <= 150
    assert 0 < result.measures[0].n < 350
    with pytest.raises(UnsupportedError) as error:
        check.run(replace(made, subject=Dear(20)))  # type: ignore[arg-type]
    assert error.value.code == "evasion.budget"


def test_findings_are_the_same_again() -> None:
    """Same seed, same bytes."""
    one, two = (check.run(certified.voted(4, rows=40)) for _ in range(2))
    assert canonical(one) == canonical(two)


def test_a_network_is_certified_and_one_that_draws_noise_each_call_is_caught() -> None:
    """Of digits with gradients certificates hold; light that is drawn once for all copies of a call breaks them."""
    digits = pytest.importorskip("tests.protection.digit_models", exc_type=ImportError)
    net = digits.trained(width=4, steps=120)

    class Glaring(digits.torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: object) -> object:
            return net(x + 0.8 * digits.torch.randn(1))

    settings = SettingsView(controls={"P1": {"certificate": {"sigma": 0.1, "votes": 100, "select": 20}}})
    found = {}
    for name, model in (("held", net), ("glaring", Glaring())):
        subject = digits.Digits(model, gradients=name == "held")
        made = digits.context(subject, many=40, thresholds={"max_violations": 0.01}, points=8)
        found[name] = check.run(replace(made, settings=settings))
    assert found["held"].canary.noticed
    assert found["held"].measures[0].value == 0
    assert figures(found["held"])["certified accuracy radius 0.1"] > 0.3
    assert found["glaring"].outcome is Outcome.FAIL


def test_lies_fail_and_a_canary_that_goes_unnoticed_takes_the_judgement_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing finding, one that is left open and a passing one contradict themselves nowhere."""
    lying, honest = (certified.numbers(5, by=by, rows=320, columns=4) for by in (1.5, 0.97))
    failed, passed = check.run(lying), check.run(honest)
    assert (failed.outcome, passed.outcome) == (Outcome.FAIL, Outcome.PASS)
    monkeypatch.setattr(check.canary, "prove", lambda *_, **__: replaced(passed.canary, found=0, noticed=False))
    open_ = [check.run(lying), check.run(honest)]
    assert {one.outcome for one in open_} == {Outcome.INCONCLUSIVE}
    assert all("not believed" in one.reason for one in open_)
    assert [contradictions(one) for one in (failed, passed, *open_)] == [[]] * 4


def test_inputs_that_are_too_wide_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be attacked in time is not begun."""
    monkeypatch.setattr(check, "_WORK", 100_000)
    with pytest.raises(UnsupportedError, match="too wide"):
        check.run(certified.numbers(5, by=1.0, rows=40, columns=4))


MODEL = """
import numpy as np


class Plane:
    classes_ = np.array(["no", "yes"])

    def predict(self, rows):
        return self.classes_[(rows["a"].fillna(0) + 2 * rows["b"] > 0).to_numpy().astype(int)]


def load():
    return Plane()
"""


def test_from_a_manifest(tmp_path: Path) -> None:
    """A model in its own process, a table with missing cells and texts: certificates hold, own radii do not."""
    rng = np.random.default_rng(6)
    for name in ("train", "test"):
        frame = pd.DataFrame(
            {"a": rng.normal(size=400), "b": rng.normal(size=400), "town": rng.choice(["x", "y"], 400)}
        )
        frame["label"] = np.where(frame["a"] + 2 * frame["b"] > 0, "yes", "no")
        if name == "test":
            frame["safe"] = 1.0
        frame.loc[::9, "a"] = np.nan
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "scorer.py").write_text(MODEL, encoding="utf-8")
    found = {}
    for name, told in (("vote", {"sigma": 0.3, "votes": 300, "select": 50}), ("own", {"radius": "safe"})):
        document = {
            "fivefold": 1, "application": {"id": "plane", "level": 2}, "use": {"output": "label"},
            "data": {"train": {"path": "train.csv", "target": "label", "positive": "yes"},
                     "test": {"path": "test.csv", "drop": ["safe"]}},
            "model": {"factory": "scorer:load"}, "controls": {"P1": {"certificate": told}},
        }  # fmt: skip
        (tmp_path / "fivefold.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        run = assess(manifest_of(tmp_path), Run(only=("P1.certificate",), effort="quick"))
        found[name] = run.findings[0].result
    assert found["vote"].outcome is Outcome.PASS, found["vote"].reason
    assert found["own"].outcome is Outcome.FAIL, found["own"].reason
