"""Sealed checks run again: the same bytes, or told where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.subject.apps import build

from fivefold.assess.reproduce import reproduce
from fivefold.assess.run import Options, assess
from fivefold.errors import FivefoldError
from fivefold.keys import store

if TYPE_CHECKING:
    from pathlib import Path

NOW = "2026-01-01T00:00:00Z"


def test_every_sealed_finding_comes_out_the_same_again(tmp_path: Path) -> None:
    """Same bytes, same version, same seeds: same results, byte for byte."""
    manifest = build(tmp_path / "app", protected=["team"])
    done = assess(manifest, Options(effort="quick"))
    again = reproduce(manifest, done.plan, done.findings, trust=store.read_trust(), started=NOW)
    assert len(again) == len(done.findings) > 1
    assert not [(item.check, item.differences) for item in again if not item.same or item.differences]


@pytest.mark.usefixtures("few_checks")
def test_a_doctored_finding_is_told_with_the_figure_that_differs(tmp_path: Path) -> None:
    """Somebody who holds the key sealed a better accuracy than was measured."""
    manifest = build(tmp_path / "app")
    done = assess(manifest, Options(effort="quick"))
    finding = next(item for item in done.findings if item.check == "P3.accuracy")
    first = msgspec.structs.replace(finding.result.measures[0], value=0.999)
    result = msgspec.structs.replace(finding.result, measures=(first, *finding.result.measures[1:]))
    doctored = msgspec.structs.replace(finding, result=result)
    (told,) = reproduce(manifest, done.plan, [doctored], trust=store.read_trust(), started=NOW)
    assert not told.same
    assert any(first.name in text and "0.999" in text for text in told.differences)


@pytest.mark.usefixtures("few_checks")
def test_what_cannot_be_the_same_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """Other data, another model and a check that did not run each give their own error."""
    manifest = build(tmp_path / "app")
    done = assess(manifest, Options(effort="quick"))
    none = msgspec.structs.replace(done.findings[0], check="X9.none")
    with pytest.raises(FivefoldError) as absent:
        reproduce(manifest, done.plan, [none], trust=store.read_trust(), started=NOW)
    assert absent.value.code == "reproduce.check"
    other = msgspec.structs.replace(done.plan, data=dict.fromkeys(done.plan.data, "0" * 64))
    with pytest.raises(FivefoldError) as changed:
        reproduce(manifest, other, done.findings[:1], trust=store.read_trust(), started=NOW)
    assert changed.value.code == "reproduce.changed"
    assert "the data" in changed.value.message
