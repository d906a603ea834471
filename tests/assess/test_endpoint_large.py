"""200,000 rows of 60 columns behind an endpoint that takes few at a time: a budget of 5,000 calls, kept to the call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from sklearn.linear_model import LogisticRegression
from tests.subject.oip_server import Running, Served

from fivefold.assess.run import Options, Step, assess
from fivefold.contract.outcome import Outcome
from fivefold.manifest.reader import read

ROWS, COLUMNS, CALLS = 200_000, 60, 5_000
TABLE = ROWS * COLUMNS * 8


def table(rows: int, seed: int) -> pd.DataFrame:
    """Return rows whose target follows all columns."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, COLUMNS))
    made = pd.DataFrame(values.round(4), columns=[f"c{index}" for index in range(COLUMNS)])
    chance = 1 / (1 + np.exp(-values @ np.linspace(-1, 1, COLUMNS) / 3))
    return made.assign(answer=np.where(rng.random(rows) < chance, "yes", "no"))


def resident(name: bytes) -> int:
    """Return the most resident bytes of one process of the worker, now."""
    most = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if name in (place / "cmdline").read_bytes():
                most = max(most, int((place / "statm").read_text().split()[1]) * 4096)
        except (OSError, IndexError):
            continue
    return most


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("most", [0, 3])
def test_a_large_table_and_a_small_server(tmp_path: Path, most: int, request: pytest.FixtureRequest) -> None:
    """What the server counted stays within the budget; memory within four times the table and what engines take."""
    from skl2onnx import to_onnx

    if most:
        request.getfixturevalue("few_checks")
    train = table(20_000, 1)
    inputs = train.iloc[:, :COLUMNS].to_numpy(dtype=np.float32)
    model = LogisticRegression(max_iter=200).fit(inputs, train["answer"])
    made = to_onnx(model, inputs[:1], options={id(model): {"zipmap": False}}, target_opset=18)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    train.to_parquet(tmp_path / "train.parquet")
    table(ROWS, 2).to_parquet(tmp_path / "test.parquet")
    peak = 0

    def watch(step: Step) -> None:
        nonlocal peak
        if step.kind == "progress":
            peak = max(peak, resident(b"fivefold.subject.worker"))

    with Running(Served(tmp_path / "m.onnx", most=most)) as running:
        document = {
            "fivefold": 1,
            "application": {"id": "large", "level": 2},
            "use": {"output": "label"},
            "data": {
                "train": {"path": "train.parquet", "target": "answer", "positive": "yes"},
                "test": {"path": "test.parquet"},
            },
            "model": {"endpoint": running.url, "calls": CALLS},
        }
        (tmp_path / "fivefold.yaml").write_text(yaml.safe_dump(document))
        done = assess(read(tmp_path), Options(effort="quick"), watch=watch)
        asked = len(running.served.requests)
    assert asked <= CALLS
    assert peak < 4 * TABLE + (300 << 20)
    outcome = next(finding.result.outcome for finding in done.findings if finding.check == "P3.accuracy")
    assert outcome is Outcome.PASS
