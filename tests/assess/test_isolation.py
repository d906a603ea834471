"""P2.isolation in the worker: the same confinement as the model's, and each protection left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.subject.apps import RULE, build

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.subject.worker import confine

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = {"landlock", "seccomp"} <= {name.partition("-")[0] for name in confine.protections()}


def test_nothing_works_in_the_models_place_that_works_outside(tmp_path: Path) -> None:
    """All kinds are tried, and refused; where the kernel lacks a protection that is said, and nothing judged."""
    root = tmp_path / "app"
    root.mkdir()
    (one,) = assess(build(root, RULE), Options(only=("P2.isolation",), effort="quick")).findings
    if not KERNEL:
        assert one.result.outcome is Outcome.NOT_RUN
        assert "this machine has no" in one.result.reason
        return
    assert one.result.outcome is Outcome.PASS, one.result.reason
    assert one.result.canary is not None
    assert one.result.canary.noticed
    assert one.result.measures[0].n >= 18
    assert {measure.where for measure in one.result.measures[1:]} >= {"file", "process", "socket", "signal", "proc"}


@pytest.mark.skipif(not KERNEL, reason="this kernel has no Landlock, or libseccomp is missing")
def test_a_confinement_with_a_hole_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that let the model read everything: files that are not its own are read, and the check says so."""
    from fivefold.subject import bench
    from fivefold.subject.worker.messages import Confinement

    def open_(**rules: object) -> Confinement:
        more = ("/",) if rules["foreign"] else ()
        return Confinement(**{**rules, "read": (*rules["read"], *more)})  # type: ignore[arg-type, misc]

    monkeypatch.setattr(bench, "Confinement", open_)
    root = tmp_path / "app"
    root.mkdir()
    (one,) = assess(build(root, RULE), Options(only=("P2.isolation",), effort="quick")).findings
    assert one.result.outcome is Outcome.FAIL
    assert "file: read" in one.result.reason
