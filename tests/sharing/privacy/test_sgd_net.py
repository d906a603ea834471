"""A net of an application: refused before anything is spent, learned in its own process, paid, usable."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load

from fivefold.errors import FivefoldError, InputError
from fivefold.manifest.reader import read
from fivefold.sharing.privacy import command, training
from fivefold.sharing.privacy.ledger import Ledger, place_of
from fivefold.sharing.privacy.loss import DELTA, Loss, budget_of
from fivefold.sharing.privacy.sgd import net

if TYPE_CHECKING:
    from pathlib import Path

NETS = """
from torch import nn

def make(inputs):
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, 2))

def mixing(inputs):
    return nn.Sequential(nn.Linear(inputs, 16), nn.BatchNorm1d(16), nn.Linear(16, 2))

def three(inputs):
    return nn.Linear(inputs, 3)

def nothing(inputs):
    return inputs
"""


def _app(folder: Path, factory: str, people: int = 3000, **more: Any) -> Any:
    rng = np.random.default_rng(4)
    n = people * 2
    who = rng.permutation(np.repeat(np.arange(people), 2))
    frame = pd.DataFrame(
        {"who": [f"p {k}" for k in who], "height": rng.normal(170, 12, n), "kind": rng.choice(["a", "b", "?"], n)}
    )
    frame["tall"] = np.where(frame.height + 4 * (frame.kind == "a") + rng.normal(0, 3, n) > 172, "yes", "no")
    frame.loc[::50, "height"] = np.nan
    (folder / "data").mkdir(parents=True)
    frame.to_csv(folder / "data" / "train.csv", index=False)
    (folder / "nets.py").write_text(NETS, encoding="utf-8")
    told = {
        "data": "train", "target": "tall", "positive": "yes", "loss": {"epsilon": 2.0, "delta": 1e-5},
        "unit": {"column": "who", "rows": 2}, "net": {"factory": factory, "batch": 150, "epochs": 12, "rate": 0.5},
        "columns": {"height": {"bounds": [130, 210]}, "kind": {"values": ["a", "b"]}},
    }  # fmt: skip
    control = {"epsilon": 3, "delta": 1e-5, "training": told | more}
    manifest = {
        "fivefold": 1, "application": {"id": f"net-{factory.partition(':')[2]}", "level": 1, "purpose": "heights"},
        "use": {"output": "statistic", "acts": "human", "alone": False}, "parties": {"deployer": "A", "customer": "B"},
        "data": {"train": {"path": "data/train.csv", "target": "tall", "source": "register", "label": {
            "class": "confidential", "personal": ["height"], "basis": "law", "purpose": ["statistics"], "region": "EU",
            "retain": "1y"}}},
        "sharing": [{"what": "training", "data": "train", "with": "B", "control": "S2"}], "controls": {"S2": control},
    }  # fmt: skip
    (folder / "fivefold.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    return read(folder)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A record's home with a ledger in a folder of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return SimpleNamespace(application="net", people=None)


@pytest.mark.slow
def test_a_net_of_the_application_is_learned_and_paid(tmp_path: Path, home: Any) -> None:
    """Two rows a person; the file says what it cost and how it was seen, and its weights answer well."""
    import torch
    from torch import nn

    manifest = _app(tmp_path / "app", "nets:make")
    found = command.learn(manifest, home, "0" * 64)
    told = net.described(found.result)
    assert found.epsilon <= 2.0
    assert told["observed"] | {"looks": 4, "cut": 0} == {"sampling": True, "clipping": True, "noise": True, "looks": 4,
                                                        "cut": 0}  # fmt: skip
    ledger = Ledger(place_of(home), manifest.application.id)
    entry = ledger.entries("register")[-1]
    assert entry.id == found.reservation == told["reservation"]
    assert entry.rho == budget_of(2.0, 1e-5).rho
    ledger.close()
    held = pd.read_csv(tmp_path / "app" / "data" / "train.csv")
    module = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    module.load_state_dict(load(found.result))
    guess = module(torch.from_numpy(net.inputs(told, held))).argmax(1).numpy()
    assert (guess == (held.tall == "yes")).mean() > 0.8
    ledger = Ledger(place_of(home), manifest.application.id)
    while (left := ledger.budget("register")) is not None and left.rho - left.spent_rho >= entry.rho:
        ledger.reserve("register", Loss(entry.rho, 0), "another")
    ledger.close()
    with pytest.raises(InputError, match="costs"):
        command.learn(manifest, home, "0" * 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "code"),
    [("nets:mixing", "privacy.layer"), ("nets:three", "model.shape"), ("nets:nothing", "model.shape"),
     ("nets:absent", "model.raised")],
)  # fmt: skip
def test_a_net_that_cannot_be_trained_is_refused_before_anything_is_spent(
    tmp_path: Path, home: Any, factory: str, code: str
) -> None:
    """With the code and a remedy; the ledger holds nothing."""
    manifest = _app(tmp_path / "app", factory)
    with pytest.raises(FivefoldError) as caught:
        command.learn(manifest, home, "0" * 64)
    assert caught.value.code == code
    ledger = Ledger(place_of(home), manifest.application.id)
    assert ledger.entries() == []
    ledger.close()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"net": {"factory": "nets"}}, "module:function"),
        ({"net": {"factory": "a:b", "batch": 0}}, "net.batch"),
        ({"net": {"factory": "a:b", "clip": 0.0}}, "net.clip"),
        ({"net": {"factory": "a:b", "optimiser": "lbfgs"}}, "optimiser"),
        ({"net": {"factory": "a:b"}, "loss": {"rho": 0.1}}, "epsilon and delta"),
    ],
)
def test_a_net_that_is_declared_wrongly_is_refused_with_the_field(change: dict[str, Any], word: str) -> None:
    """Read without torch."""
    told = {
        "target": "y",
        "positive": "1",
        "loss": {"epsilon": 1.0, "delta": 1e-5},
        "columns": {"x": {"bounds": [0, 1]}},
    }
    with pytest.raises(InputError, match=word) as caught:
        training.read(told | change)
    assert caught.value.code == "privacy.training"


def test_what_a_net_costs_is_what_is_declared() -> None:
    """The count takes a fiftieth, the steps the rest."""
    told = {"target": "y", "positive": "1", "loss": {"epsilon": 1.0, "delta": 1e-5},
            "columns": {"x": {"bounds": [0, 1]}}, "net": {"factory": "a:b"}}  # fmt: skip
    made = training.plan(training.read(told))
    assert made.loss == budget_of(1.0, 1e-5)
    assert made.count_rho == made.loss.rho // 50
    assert made.loss.delta / DELTA == pytest.approx(5e-6)


def test_a_file_of_another_kind_is_no_private_net() -> None:
    """Whatever bytes it holds."""
    for raw in (b"", b"12345678", json.dumps({}).encode()):
        with pytest.raises(InputError):
            net.described(raw)
