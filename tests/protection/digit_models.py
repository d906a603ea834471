"""Small networks on scikit-learn's digits, honest ones and four broken defences, as subjects in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from fivefold.contract.check import Context
from fivefold.contract.subject import Capabilities, Loss, SettingsView, Table

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed; scripts/test installs it")

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 10


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return digits (1797, 1, 8, 8) float32 in [0, 1] and their classes, shuffled."""
    raw = load_digits()
    order = np.random.default_rng(seed).permutation(len(raw.target))
    return (raw.images[order][:, None] / 16).astype(np.float32), raw.target[order].astype(np.int64)


def trained(seed: int = 0, *, width: int = 16, steps: int = 250, robust: float = 0.0) -> Any:
    """Return a small CNN trained on the first 1,000 digits; ``robust``: reach of the changes that it is trained on."""
    torch.manual_seed(seed)
    x, y = (torch.as_tensor(one[:1000]) for one in data())
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, width, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(width, width, 3, 2, 1),
        torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(width * 16, CLASSES),
    )  # fmt: skip
    optimiser, entropy = torch.optim.Adam(net.parameters(), lr=5e-3), torch.nn.CrossEntropyLoss()
    for _ in range(steps):
        part = torch.randint(0, 1000, (64,))
        change = torch.zeros_like(x[part])
        for _ in range(3 if robust else 0):
            change.requires_grad_(True)  # noqa: FBT003
            (slope,) = torch.autograd.grad(entropy(net((x[part] + change).clamp(0, 1)), y[part]), change)
            change = (change.detach() + robust / 2 * slope.sign()).clamp(-robust, robust)
        optimiser.zero_grad()
        entropy(net((x[part] + change).clamp(0, 1)), y[part]).backward()
        optimiser.step()
    return net.eval()


class Random(torch.nn.Module):
    """Adds noise to the input at every call."""

    def __init__(self, net: Any, size: float = 0.3) -> None:
        super().__init__()
        self.net, self.size = net, size

    def forward(self, x: Any) -> Any:
        return self.net(x + self.size * torch.randn_like(x))


class Rounded(torch.nn.Module):
    """Rounds the input to five levels, through which no gradient goes."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Any) -> Any:
        return self.net(torch.round(x * 4) / 4)


class _Lie(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(context: Any, slope: Any) -> Any:
        return torch.roll(slope.flip(-1), 3, dims=-2).sign() * slope.abs().mean()


class Masked(torch.nn.Module):
    """Gives gradients of quite another direction than its own."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Any) -> Any:
        return self.net(_Lie.apply(x))


class Saturated(torch.nn.Module):
    """Multiplies the logits so that the softmax in single precision says 0 and 1."""

    def __init__(self, net: Any, by: float = 300.0, *, soft: bool = False) -> None:
        super().__init__()
        self.net, self.by, self.soft = net, by, soft

    def forward(self, x: Any) -> Any:
        out = self.by * self.net(x)
        return torch.softmax(out, dim=1) if self.soft else out


@dataclass
class Digits:
    """A network as a subject."""

    net: Any
    linked: bool = True
    scores: bool = True
    gradients: bool = True
    asked: int = 0
    task: str = "multiclass"
    classes: tuple[str, ...] = tuple(str(one) for one in range(CLASSES))

    def __post_init__(self) -> None:
        from fivefold.subject.files.torch_model import TorchModel

        self.model = TorchModel(self.net, None, 0)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(scores=self.scores, retrains=False, perturbable=True, gradients=self.gradients)

    def predict(self, table: Table) -> np.ndarray:
        self.asked += len(table)
        return self.model(table.inputs).argmax(axis=1).astype(np.int64)

    def predict_proba(self, table: Table) -> np.ndarray:
        self.asked += len(table)
        out = self.model(table.inputs)
        if not self.linked:
            return out
        chance = np.exp(out - out.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def gradient(self, table: Table, target: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
        self.asked += len(table)
        return self.model.gradient(table.inputs, target, loss, order=range(CLASSES), linked=self.linked)


def rows(x: np.ndarray, y: np.ndarray, name: str = "test") -> Table:
    """Return pictures as a table."""
    none = pd.DataFrame(index=pd.RangeIndex(len(x)))
    return Table(name, np.arange(len(x)), none, y, none, inputs=x, kind="image")


def context(
    subject: Digits,
    *,
    floor: float = 0.5,
    many: int = 60,
    thresholds: dict[str, float] | None = None,
    **options: object,
) -> Context:
    """Return what a check of evasion is handed: the last 797 digits to test with, the first 1,000 as public rows."""
    x, y = data()
    tables: dict[str, Table] = {"test": rows(x[1000:], y[1000:]), "train": rows(x[:1000], y[:1000], "train")}
    load: Callable[[str], Table] = tables.__getitem__
    return Context(
        subject=subject,  # type: ignore[arg-type]
        tables=load,
        rng=np.random.default_rng(7),
        settings=SettingsView(),
        thresholds={"min_robust_accuracy": floor} if thresholds is None else thresholds,
        options={"epsilon": 0.2, **options},
        rows=many,
    )
