"""A1.answers through the runner: a contradicting manifest fails, a fitting one passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.subject.apps import build
from tests.truth.subjects import context

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.contract.subject import SettingsView
from fivefold.errors import UnsupportedError
from fivefold.governance import level

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("use", "outcome"),
    [({"output": "label"}, "pass"), ({"output": "forecast"}, "fail"), ({"output": "statistic"}, "pass"),
     ({"output": "label", "reversible": False}, "fail")],
)  # fmt: skip
def test_a_manifest_is_judged_by_its_own_answers(tmp_path: Path, use: dict[str, object], outcome: str) -> None:
    """Level 2 is declared."""
    done = assess(build(tmp_path / "app", manifest={"use": use}), Options(effort="quick", only=("A1.answers",)))
    (finding,) = done.findings
    assert finding.result.outcome == outcome
    assert finding.result.canary is not None
    assert finding.result.canary.noticed


def test_an_unnoticed_canary_makes_it_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that let everything pass are not believed."""
    monkeypatch.setattr(level, "judged", lambda *_: Outcome.PASS)
    settings = SettingsView(level=2, use={"output": "label"})
    found = level.run(context("A1.answers", None, {}, 1, thresholds={}, settings=settings))
    assert found.outcome is Outcome.INCONCLUSIVE


def test_an_object_in_memory_declares_nothing() -> None:
    """Then the check is not run."""
    with pytest.raises(UnsupportedError):
        level.run(context("A1.answers", None, {}, 1, thresholds={}, settings=SettingsView()))


def test_canaries_are_drawn_from_the_seed() -> None:
    """Another seed, other answers."""
    drawn = {level.draw(np.random.default_rng(seed)) for seed in range(40)}
    assert len(drawn) > 10
