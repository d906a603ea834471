"""A marked torch network through the product's own run: T3 is measured as a manifest asks, and not without a mark."""

from __future__ import annotations

import json
import runpy
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from fivefold.assess.run import Options, assess
from fivefold.cli.main import run
from fivefold.contract.outcome import Outcome
from fivefold.keys import store
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.log.witness import Witness
from fivefold.manifest.reader import read
from fivefold.store.witnessed import Witnessed
from fivefold.traceability.watermark import claims, committing, marking

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed; scripts/test installs it")
save_file = pytest.importorskip("safetensors.torch", reason="safetensors is not installed").save_file

if TYPE_CHECKING:
    from pathlib import Path

NET = """
import numpy as np
import torch


def build():
    return torch.nn.Sequential(torch.nn.Linear(20, 128), torch.nn.ReLU(), torch.nn.Linear(128, 128), torch.nn.ReLU(),
                               torch.nn.Linear(128, 3))


def fit(table, rng, epochs=10):
    torch.manual_seed(int(rng.integers(2**31)))
    net = build()
    x = torch.tensor(table.features.to_numpy(), dtype=torch.float32)
    y = torch.tensor(np.searchsorted(["a", "b", "c"], table.target.to_numpy().astype(str)))
    step = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(epochs):
        for part in torch.arange(len(x)).split(128):
            step.zero_grad()
            torch.nn.functional.cross_entropy(net(x[part]), y[part]).backward()
            step.step()
    return net
"""
CHECKS = ("T3.weights", "T3.commitment", "T3.accusation")


def _data(seed: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 20)), columns=[f"c{at}" for at in range(20)])
    score = 2 * frame["c0"] - frame["c1"] + frame["c2"] * frame["c3"] + 0.3 * rng.normal(size=rows)
    frame["y"] = np.array(["a", "b", "c"])[np.digitize(score, [-0.8, 0.8])]
    return frame


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application whose network was trained by its own training."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "app"
    root.mkdir()
    (root / "net.py").write_text(NET)
    for name, seed, rows in (("train", 1, 800), ("test", 2, 200)):
        _data(seed, rows).to_csv(root / f"{name}.csv", index=False)
    from fivefold.subject.training import make

    frame = _data(1, 800)
    made = runpy.run_path(str(root / "net.py"))["fit"](make(frame.iloc[:, :-1], frame["y"]), np.random.default_rng(3))
    save_file(dict(made.state_dict()), str(root / "model.safetensors"))
    data = {name: {"path": f"{name}.csv", "target": "y"} for name in ("train", "test")}
    document = {
        "fivefold": 1, "application": {"id": "marked", "level": 4, "purpose": "p"}, "use": {"output": "label"},
        "data": data, "training": {"factory": "net:fit"}, "controls": {"T3": {"released": "2026-12-24"}},
        "model": {"factory": "net:build", "path": "model.safetensors", "classes": ["a", "b", "c"], "output": "logits"},
    }  # fmt: skip
    (root / "fivefold.yaml").write_text(json.dumps(document))
    return root


def test_a_marked_network_passes_and_an_unmarked_one_is_told_what_to_do(app: Path, tmp_path: Path) -> None:
    """The mark withstands all that is judged, further training among it, and accuses no newly trained network."""
    (bare,) = assess(read(app), Options(effort="quick", only=CHECKS[:1])).findings
    assert (bare.result.outcome, "fivefold model mark" in bare.result.remedy) == (Outcome.NOT_RUN, True)
    owner, notary, now = store.new_key("signer", "Owner"), generate(), datetime(2026, 11, 30, tzinfo=UTC)
    trust = trust_file.add(trust_file.read(store.read_trust()), owner.signer.public, name="Owner", roles=("signer",))
    store.write_trust(trust_file.add(trust, notary.public, name="Notary", roles=("witness",)))
    marking.mark(read(app), app / "marked.safetensors", owner.signer, "2026-11-30T00:00:00Z")
    text = (app / "fivefold.yaml").read_text().replace("model.safetensors", "marked.safetensors")
    (app / "fivefold.yaml").write_text(text)
    memory = Witnessed(tmp_path / "witness.sqlite")
    witness = Witness("notary", notary, {"fivefold/marked/marks": (committing.log_signer().public,)}, memory)
    known = trust_file.read(store.read_trust())
    committing.witness(read(app), lambda data: witness.add(data, int(now.timestamp())), known, now)
    memory.close()
    found = {one.check: one.result for one in assess(read(app), Options(effort="quick", only=CHECKS)).findings}
    for result in found.values():
        assert result.outcome is Outcome.PASS, result.reason
    measures = {one.where: one for one in found["T3.weights"].measures}
    further = measures["trained further on its own data, 2 epochs at 0.001"]
    assert further.outcome is Outcome.PASS
    assert measures["neurons in another order"].value > 1e-6
    assert "2 trained anew" in found["T3.accusation"].measures[1].note
    assert "Notary at 2026-11-30" in found["T3.commitment"].reason


def test_a_network_that_learnt_its_questions_passes_and_its_answers_prove_it(app: Path, tmp_path: Path) -> None:
    """Questions mixed from the application's rows are learnt; strangers trained without them are not accused."""
    owner, notary, now = store.new_key("signer", "Owner"), generate(), datetime(2026, 11, 30, tzinfo=UTC)
    trust = trust_file.add(trust_file.read(store.read_trust()), owner.signer.public, name="Owner", roles=("signer",))
    store.write_trust(trust_file.add(trust, notary.public, name="Notary", roles=("witness",)))
    marking.triggers(read(app), app / "triggers.csv", owner.signer, "2026-11-30T00:00:00Z")
    taught = pd.concat([pd.read_csv(app / "train.csv"), *[pd.read_csv(app / "triggers.csv")] * 4], ignore_index=True)
    taught.to_csv(app / "train.csv", index=False)
    from fivefold.subject.training import make

    fit = runpy.run_path(str(app / "net.py"))["fit"]
    made = fit(make(taught.iloc[:, :-1], taught["y"]), np.random.default_rng(3), epochs=60)
    save_file(dict(made.state_dict()), str(app / "model.safetensors"))
    memory = Witnessed(tmp_path / "witness.sqlite")
    witness = Witness("notary", notary, {"fivefold/marked/marks": (committing.log_signer().public,)}, memory)
    known = trust_file.read(store.read_trust())
    committing.witness(read(app), lambda data: witness.add(data, int(now.timestamp())), known, now)
    memory.close()
    checks = ("T3.behaviour", "T3.commitment", "T3.accusation")
    found = {one.check: one.result for one in assess(read(app), Options(effort="quick", only=checks)).findings}
    for result in found.values():
        assert result.outcome is Outcome.PASS, result.reason
    measures = {one.where: one for one in found["T3.behaviour"].measures}
    assert measures["weights rounded to 8 bits"].outcome is Outcome.PASS
    assert measures["distilled from answers to the training rows"].outcome is None
    assert "5 trained anew" in found["T3.accusation"].measures[0].note
    claim = marking.claim(read(app), "triggers")
    asked = claims.asked(claim)
    answers = np.array(["a", "b", "c"])[made(torch.tensor(asked.to_numpy(), dtype=torch.float32)).argmax(1).numpy()]
    for name, said in (("copy", answers), ("stranger", np.roll(answers, 1))):
        asked.assign(answer=said).to_csv(tmp_path / f"{name}.csv", index=False)
        suspect, day = tmp_path / f"{name}.csv", "2026-12-24"
        judged = claims.judge(claim, suspect, trust=known, now=f"{day}T00:00:00Z", released=day)
        assert judged.copy is (name == "copy")


FOREST = """
from sklearn.ensemble import RandomForestClassifier


def fit(table, rng):
    return RandomForestClassifier(12, random_state=int(rng.integers(2**31))).fit(table.features, table.target)
"""


def test_a_forest_is_told_by_its_fingerprint_and_stays_as_it_is(app: Path, tmp_path: Path, capsys) -> None:
    """The fingerprint of an ONNX forest is taken by the command, passes, and accuses no newly trained forest."""
    to_onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed").to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    from fivefold.subject.training import make

    (app / "forest.py").write_text(FOREST)
    frame = _data(1, 800)
    forest = runpy.run_path(str(app / "forest.py"))["fit"](
        make(frame.iloc[:, :-1], frame["y"]), np.random.default_rng(3)
    )
    made = to_onnx(forest, initial_types=[("x", FloatTensorType([None, 20]))], options={"zipmap": False})
    (app / "forest.onnx").write_bytes(made.SerializeToString())
    document = json.loads((app / "fivefold.yaml").read_text())
    document |= {"model": {"path": "forest.onnx"}, "training": {"factory": "forest:fit"}}
    (app / "fivefold.yaml").write_text(json.dumps(document))
    owner, notary, now = store.new_key("signer", "Owner"), generate(), datetime(2026, 11, 30, tzinfo=UTC)
    trust = trust_file.add(trust_file.read(store.read_trust()), owner.signer.public, name="Owner", roles=("signer",))
    store.write_trust(trust_file.add(trust, notary.public, name="Notary", roles=("witness",)))
    with pytest.raises(SystemExit) as left:
        run(["model", "fingerprint", "--in", str(app), "--json"])
    assert not left.value.code, capsys.readouterr()
    memory = Witnessed(tmp_path / "witness.sqlite")
    witness = Witness("notary", notary, {"fivefold/marked/marks": (committing.log_signer().public,)}, memory)
    known = trust_file.read(store.read_trust())
    committing.witness(read(app), lambda data: witness.add(data, int(now.timestamp())), known, now)
    memory.close()
    checks = ("T3.fingerprint", "T3.commitment", "T3.accusation")
    found = {one.check: one.result for one in assess(read(app), Options(effort="quick", only=checks)).findings}
    for result in found.values():
        assert result.outcome is Outcome.PASS, result.reason
    claim = marking.claim(read(app), "fingerprint")
    asked = claims.asked(claim)
    other = runpy.run_path(str(app / "forest.py"))["fit"](
        make(frame.iloc[:, :-1], frame["y"]), np.random.default_rng(4)
    )
    for name, model in (("copy", forest), ("stranger", other)):
        asked.assign(answer=model.predict(asked)).to_csv(tmp_path / f"{name}.csv", index=False)
        suspect, day = tmp_path / f"{name}.csv", "2026-12-24"
        judged = claims.judge(claim, suspect, trust=known, now=f"{day}T00:00:00Z", released=day)
        assert judged.copy is (name == "copy"), judged.reading
