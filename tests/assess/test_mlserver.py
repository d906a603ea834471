"""A model server that we did not write, from a manifest of fifteen lines, over REST and gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("h2", reason="the extra endpoint is not installed")

from tests.subject.endpoint_apps import UNDECLARED, numbers
from tests.subject.mlserver_peer import mlserver

from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.manifest.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = """\
fivefold: 1
application:
  id: shop
  level: 2
use: {output: label}
data:
  train:
    path: train.csv
    target: answer
    positive: "yes"
    protected: [group]
    drop: [group]
  test: {path: test.csv}
model:
  endpoint: URL
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve a pipeline with scaled numbers, missing values and one-hot texts."""
    place = tmp_path_factory.mktemp("mlserver")
    table(1500, 11).to_csv(place / "train.csv", index=False)
    with mlserver(place / "model", place / "train.csv", "answer", "group") as urls:
        yield urls


def table(rows: int, seed: int) -> object:
    """Return rows with texts and missing numbers."""
    made = numbers(rows, seed, texts=True)
    made.loc[np.random.default_rng(seed).random(rows) < 0.05, "age"] = np.nan
    return made


@pytest.mark.parametrize("kind", [0, 1], ids=["rest", "grpc"])
def test_a_server_that_we_did_not_write_is_assessed(
    tmp_path: Path, server: tuple[str, str], kind: int, request: pytest.FixtureRequest
) -> None:
    """Labels and probabilities are found, all checks that ask are measured, the model is steady."""
    if kind:
        request.getfixturevalue("few_checks")
    table(400, 1).to_csv(tmp_path / "train.csv", index=False)  # type: ignore[attr-defined]
    table(400, 2).to_csv(tmp_path / "test.csv", index=False)  # type: ignore[attr-defined]
    text = MANIFEST.replace("URL", server[kind])
    assert len(text.splitlines()) == 15
    (tmp_path / "fivefold.yaml").write_text(text)
    done = assess(read(tmp_path), Options(effort="quick"))
    fact = done.plan.facts.model
    assert fact is not None
    assert (fact.error, fact.task, fact.classes) == ("", "binary", ("no", "yes"))
    assert fact.scores
    assert fact.deterministic
    outcomes = {finding.check: finding.result.outcome for finding in done.findings}
    assert {check for check, outcome in outcomes.items() if outcome is Outcome.NOT_RUN} == UNDECLARED & set(outcomes)
    assert outcomes["P3.accuracy"] is Outcome.PASS
    assert Outcome.ERROR not in outcomes.values(), outcomes
