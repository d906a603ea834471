"""One battery over all kinds of subject and tasks: the same function gives the same facts and the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fivefold.assess import assess_model
from fivefold.assess.probe import probe
from fivefold.assess.run import Options, assess
from fivefold.manifest.reader import read

from . import kinds

if TYPE_CHECKING:
    from fivefold.contract.finding import Result

for _engine in ("onnxruntime", "h2", "torch", "safetensors"):
    pytest.importorskip(_engine, reason=f"{_engine} is not installed; scripts/test installs it")

TABLE = Path(__file__).resolve().parents[2] / "build" / "kinds.md"
SEALED = [kind for kind in kinds.KINDS if kind != "memory"]


def _figures(result: Result) -> list[float]:
    return [measure.value for measure in result.measures if measure.value is not None and not measure.where]


@pytest.mark.parametrize("task", kinds.TASKS)
@pytest.mark.parametrize("kind", SEALED)
def test_the_same_function_is_the_same_model_in_every_kind(tmp_path: Path, kind: str, task: str) -> None:
    """Probed, not believed: task, classes, scores and steadiness; P3.accuracy gives what the object in memory gives."""
    with kinds.application(tmp_path / "app", kind, task) as root:
        found = probe(read(root)).model
        assert found is not None
        assert not found.error, found.error
        assert found.task == task
        assert found.classes == kinds.CLASSES[task]
        assert found.scores == (task != "regression")
        assert found.deterministic
        assert found.perturbable == (kind != "predictions")
        assert found.gradients == (kind == "torch")
        done = assess(read(root), Options(effort="quick", only=("P3.accuracy",)))
    frames = {name: kinds.rows(task, seed) for name, seed in (("train", 1), ("test", 2))}
    alone = assess_model(kinds.Memory(task), target="y", drop=["group"], checks=("P3.accuracy",), **frames)
    one = next(item.result for item in done.findings if item.check == "P3.accuracy")
    other = next(item.result for item in alone.findings if item.check == "P3.accuracy")
    assert one.outcome is other.outcome, (one.reason, other.reason)
    main, wanted = one.measures[0], other.measures[0]
    assert main.value == pytest.approx(wanted.value, abs=2e-3)
    assert np.isfinite(_figures(one)).all()


@pytest.mark.slow
def test_the_table_of_coverage_has_no_cell_without_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Every check runs on every kind and task, or the product says why not; CI prints the table."""
    assert kinds.main() == 0
    text = capsys.readouterr().out
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(text)
    for task in kinds.TASKS:
        assert f"### {task}" in text
    assert text.count("| `P3.accuracy` | run | run | run | run | run | run | run | run |") == len(kinds.TASKS)
