"""T3.accusation: a reader that sees nothing, or a mark everywhere, is noticed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.truth import accusing, printed, taught

from fivefold.contract.outcome import Outcome
from fivefold.traceability.watermark import accusation_check, embedding, fingerprint, triggers

WEIGHTS, TRIGGERS, FINGERPRINT = "weights", "triggers", "fingerprint"


def _context(form: str) -> Any:
    """Return what is clean but, in weights, the mark of a base."""
    if form == WEIGHTS:
        return accusing.build(3, base=True)
    return (taught if form == TRIGGERS else printed).build(3, check=accusing.CHECK)


@pytest.mark.parametrize(("form", "outcome"), [(WEIGHTS, "fail"), (TRIGGERS, "pass"), (FINGERPRINT, "pass")])
def test_readers_that_read_are_noticed(form: str, outcome: str) -> None:
    """All that is planted is found, and nothing else."""
    result = accusation_check.run(_context(form))
    assert result.outcome is Outcome(outcome), result.reason
    assert result.canary is not None
    assert (result.canary.noticed, result.canary.false_alarms) == (True, 0)
    assert any("read with one key" in one for one in result.limits) is (form == WEIGHTS)


@pytest.mark.parametrize("p", [0.0, 1.0])
@pytest.mark.parametrize(
    ("form", "names"),
    [
        (WEIGHTS, ("read", "of_strangers")), (WEIGHTS, ("read",)), (WEIGHTS, ("of_strangers",)), (TRIGGERS, ("read",)),
        (FINGERPRINT, ("read",)),
    ],
)  # fmt: skip
def test_a_broken_reader_leaves_it_inconclusive(
    form: str, names: tuple[str, ...], p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every reading is 1, so that nobody is accused, or 0, so that all are."""
    room = {WEIGHTS: embedding, TRIGGERS: triggers, FINGERPRINT: fingerprint}[form]
    context = _context(form)
    stubs = {"read": lambda *_: embedding.Reading(0, 64, p, 1.0), "of_strangers": lambda *_: np.full(1000, p)}
    for name in names:
        monkeypatch.setattr(room, name, stubs[name])
    result = accusation_check.run(context)
    assert result.outcome is Outcome.INCONCLUSIVE, result.reason
    assert result.canary is not None
    assert not result.canary.noticed


def test_measures_that_accuse_nobody_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken count of accusations passes nobody."""
    monkeypatch.setattr(accusation_check, "_of", lambda *_: [])
    result = accusation_check._canary([accusation_check._weights(accusing.build(4))], 0.03, np.random.default_rng(1))
    assert not result.noticed
