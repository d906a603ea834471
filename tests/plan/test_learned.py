"""Whether labels are learned is read from manifest, data and model; what is not known is never quietly false."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003

import pytest

from fivefold.contract.plan import ColumnFact, DataFact, Facts, ModelFact
from fivefold.manifest.reader import read
from fivefold.plan.learned import kinds

HEAD = """fivefold: 1
application: {{id: app, level: 1, purpose: figures}}
use: {{output: statistic, acts: human, alone: false}}
data:
  train: {{path: train.csv{more}}}
{rest}"""


def _manifest(folder: Path, more: str = "", rest: str = "") -> object:
    (folder / "train.csv").write_text("a,y\n1,2\n")
    (folder / "fivefold.yaml").write_text(HEAD.format(more=more, rest=rest))
    return read(folder)


def _facts(kind: str, distinct: int, target: str = "y") -> Facts:
    column = ColumnFact(name="y", kind=kind, missing=0, distinct=distinct)  # type: ignore[arg-type]
    return Facts(data={"train": DataFact(digest="", rows=90, columns=(column,), target=target)})


@pytest.mark.parametrize(
    ("kind", "distinct", "classes"),
    [("string", 700, True), ("boolean", 2, True), ("integer", 50, True), ("integer", 51, False), ("number", 2, True),
     ("number", 3, False), ("date", 9, True), ("empty", 0, None)],
)  # fmt: skip
def test_the_column_says_which(tmp_path: Path, kind: str, distinct: int, classes: bool | None) -> None:
    """As targets are coded where there is no model."""
    found = kinds(_manifest(tmp_path, ", target: y"), _facts(kind, distinct))  # type: ignore[arg-type]
    assert found == (classes, None if classes is None else not classes)


def test_nothing_is_learned_where_nothing_speaks_for_it(tmp_path: Path) -> None:
    """No target, no model, no training, no path that trains: both are false, before anything is read."""
    assert kinds(_manifest(tmp_path), None) == (False, False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rest",
    [
        "model: {factory: 'm:f'}\n",
        "training: {factory: 'm:f'}\n",
        "sharing: [{what: federated, data: train, with: b, control: S3}]\n",
        "sharing: [{what: training, data: train, with: b, control: S2}]\n",
        "controls: {S4: {training: {target: y}}}\n",
        "controls: {S2: {training: {target: y}}}\n",
    ],
)
def test_whoever_learns_cannot_leave_the_target_out(tmp_path: Path, rest: str) -> None:
    """A model, a training or a path that trains: which labels are learned is unknown, so that their checks bind."""
    (tmp_path / "m.py").write_text("def f(): ...\n")
    assert kinds(_manifest(tmp_path, "", rest), _facts("string", 2, "")) == (None, None)  # type: ignore[arg-type]


def test_a_model_that_was_probed_says_which(tmp_path: Path) -> None:
    """Its task goes before the column; a failed probe says nothing."""
    manifest = _manifest(tmp_path, ", target: y")
    facts = _facts("integer", 2)
    told = Facts(data=facts.data, model=ModelFact(task="regression"))
    failed = Facts(data=facts.data, model=ModelFact(task="regression", error="it broke"))
    assert kinds(manifest, told) == (False, True)  # type: ignore[arg-type]
    assert kinds(manifest, failed) == (True, False)  # type: ignore[arg-type]


def test_what_was_not_read_is_unknown(tmp_path: Path) -> None:
    """A light plan leaves both open."""
    assert kinds(_manifest(tmp_path, ", target: y"), None) == (None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["S4: {modell: x}", "S4: {model: 3}", "S4: {error: 2}", "S5: {trust: x}", "S5: {filter: 1}"]
)
def test_unknown_options_are_errors_of_the_manifest(tmp_path: Path, text: str) -> None:
    """With the line and a remedy, before anything runs."""
    from fivefold.errors import ProblemsError

    with pytest.raises(ProblemsError) as told:
        _manifest(tmp_path, "", f"controls: {{{text}}}\n")
    (problem,) = told.value.problems
    assert problem.where.endswith(":6")
    assert problem.remedy
