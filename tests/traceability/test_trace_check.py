"""T2.trace: which decisions are lost and why, canaries that can fail, records that say nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.truth.originated import NOW
from tests.truth.traced import KINDS, build, unsigned

from fivefold.contract.outcome import Outcome
from fivefold.contract.registry import resolve
from fivefold.evidence.links import There
from fivefold.traceability.lineage import trace_check, walking

run = resolve("T2.trace")
CODES = {
    "a model that nobody signed for": "trace.unknown-model", "decisions without a model": "trace.no-model",
    "earlier statement lost": "trace.unknown-model", "earlier statement by a stranger": "trust.unknown-key",
    "not found forward": "trace.not-forward", "one bit of data": "provenance.other-data",
    "no statement": "provenance.none", "no people": "provenance.no-people",
    "unknown commit": "provenance.unknown-commit",
}  # fmt: skip


@pytest.mark.parametrize("kind", CODES)
def test_each_way_to_get_lost_is_named(kind: str) -> None:
    """A lost decision fails the check, and the finding says which link is gone."""
    assert kind in KINDS
    result = run(build(31, kind))
    assert result.outcome is Outcome.FAIL
    assert CODES[kind] in result.reason
    assert result.measures[0].note.startswith("record ")
    assert result.remedy


def test_decisions_of_the_model_of_now_and_of_an_earlier_one_are_walked() -> None:
    """All pass; that one model was replaced since is said."""
    result = run(build(33))
    assert result.outcome is Outcome.PASS, result.reason
    assert result.measures[0].value == 0.0
    assert any("1 of the 2 models were replaced" in text for text in result.limits)


def test_one_lost_decision_of_many_is_enough() -> None:
    """The share is shown, and the floor is none."""
    result = run(build(34, "decisions without a model"))
    measure = result.measures[0]
    assert measure.value == pytest.approx(1 / measure.n)
    assert measure.outcome is Outcome.FAIL


@pytest.mark.parametrize("erased", [0, 40])
def test_without_a_decision_that_can_be_read_nothing_is_concluded(erased: int) -> None:
    """No record, or one of erased people alone, is inconclusive, with the reason."""
    result = run(build(35, erased=erased, silent=not erased))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert ("erased" if erased else "No decision is on record") in result.reason


def test_who_never_signed_an_origin_does_not_pass() -> None:
    """The undefended reference."""
    assert run(unsigned(3)).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "blind", ["trace.no-model", "trace.unknown-model", "provenance.other-data", "trust.unknown-key"]
)
def test_a_walk_that_overlooks_a_link_is_inconclusive(blind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary loses decisions in each way; a walk that does not see one concludes nothing."""
    real = walking.walk

    def overlooking(*given: Any, **more: Any) -> Any:
        found = real(*given, **more)
        return msgspec.structs.replace(found, links=tuple(one for one in found.links if one.code != blind))

    given = build(36)
    monkeypatch.setattr(walking, "walk", overlooking)
    result = run(given)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.canary is not None
    assert not result.canary.noticed


def test_the_canary_holds_in_any_application() -> None:
    """Without data or code of its own, too, and at other places each time."""
    for there in (
        There(application="a", files={"m": "0" * 64}, outputs=("m",)),
        There(application="a", files={"m": "0" * 64, "s.py": "2" * 64}, outputs=("m",), data={"train": "3" * 64}),
    ):
        for seed in range(5):
            bird = trace_check.prove(there, np.random.default_rng(seed), NOW)
            assert bird.noticed, bird.detail
