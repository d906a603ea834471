"""Learn: a torch module trained on batches that several attacks have changed, stopped by robust accuracy held back.

Source: Madry et al. 2018 (adversarial training); Tramer and Boneh 2019 (batches mixed over attacks); Rice, Wong and
Kolter 2020 (early stopping against robust overfitting).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from fivefold.protection.evasion.harden.recipe import Recipe

HELD = 0.1
_MOST_HELD = 1000
_LOOK = 10
_WARM = 3
_ATTACKS = (("linf", "cross-entropy"), ("linf", "margin"), ("linf", "cross-entropy"), ("l2", "cross-entropy"))


@dataclass(frozen=True)
class Box:
    """Where rows may move, each (d...) tensor broadcast over rows.

    Attributes:
        low: Smallest values.
        high: Largest.
        width: What counts as 1: the range divided by the cost, 0 where nothing may move.
    """

    low: Any
    high: Any
    width: Any


@dataclass(frozen=True)
class Learnt:
    """What came of it.

    Attributes:
        state: The best epoch's weights.
        epoch: Which that was, from 1.
        clean: Accuracy on rows held back, after each epoch.
        robust: Robust accuracy on them against ten steps on the margin.
    """

    state: dict[str, Any]
    epoch: int
    clean: list[float]
    robust: list[float]


def logits(out: Any, link: str) -> Any:
    """Return (n, K) logits of raw outputs; one output is that of the second class.

    Args:
        out: (n,), (n, 1) or (n, K).
        link: ``logits`` or ``probabilities``.
    """
    if out.ndim == 1 or out.shape[1] == 1:
        one = out.reshape(len(out))
        if link == "probabilities":
            return torch.log(torch.column_stack([1 - one, one]).clamp_min(1e-12))
        return torch.column_stack([torch.zeros_like(one), one])
    return torch.log(out.clamp_min(1e-12)) if link == "probabilities" else out


def _loss(scores: Any, target: Any, kind: str) -> Any:
    if kind == "cross-entropy":
        return torch.nn.functional.cross_entropy(scores, target, reduction="none")
    own = scores.gather(1, target[:, None])[:, 0]
    return scores.scatter(1, target[:, None], -torch.inf).amax(dim=1) - own


def changed(
    ask: Callable[[Any], Any], given: tuple[Any, Any], box: Box, plan: tuple[str, str, int, float], draw: Any
) -> Any:
    """Return rows changed by gradient steps from a random start; (n, ...) as ``rows``.

    Args:
        ask: Rows to logits.
        given: (n, ...) unchanged rows and (n,) classes.
        box: Where they may move.
        plan: Norm, loss, steps and reach.
        draw: torch generator.
    """
    (rows, target), (norm, kind, steps, reach) = given, plan
    flat = (len(rows), *([1] * (rows.ndim - 1)))

    def inside(change: Any) -> Any:
        if norm == "linf":
            change = change.clamp(-reach, reach)
        else:
            size = change.reshape(len(rows), -1).norm(dim=1).clamp_min(1e-12).reshape(flat)
            change = change * (far / size).clamp_max(1.0)
        moved = torch.minimum(torch.maximum(rows + change * box.width, box.low), box.high)
        return torch.where(box.width > 0, (moved - rows) / box.width.clamp_min(1e-12), torch.zeros_like(rows))

    moving = float((box.width > 0).expand(rows.shape[1:]).sum())
    far = reach * max(moving, 1.0) ** 0.5 / 2  # l2: half of the longest change that linf allows
    change = inside((torch.rand(rows.shape, generator=draw) * 2 - 1) * reach)
    for _ in range(steps):
        change = change.detach().requires_grad_(requires_grad=True)
        (slope,) = torch.autograd.grad(_loss(ask(rows + change * box.width), target, kind).sum(), change)
        if norm == "linf":
            step = 2.0 * reach / steps * slope.sign()
        else:
            step = 2.0 * far / steps * slope / slope.reshape(len(rows), -1).norm(dim=1).clamp_min(1e-12).reshape(flat)
        change = inside(change.detach() + step)
    return rows + change * box.width


def learn(
    module: Any, given: tuple[np.ndarray, np.ndarray], box: Box, recipe: Recipe, *, link: str, seed: int
) -> Learnt:
    """Train a module in place and return the epoch that stands best.

    Args:
        module: A ``torch.nn.Module`` with K outputs, or one for two classes.
        given: (n, ...) float32 rows and (n,) int64 classes.
        box: Where an attacker may move them.
        recipe: How.
        link: What the outputs are.
        seed: Of everything drawn.
    """
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.as_tensor(given[0]), torch.as_tensor(given[1])
    order = torch.randperm(len(x), generator=draw)
    held = min(_MOST_HELD, max(1, int(HELD * len(x))))
    back, own = order[:held], order[held:]
    optimiser = torch.optim.Adam(module.parameters(), lr=recipe.rate)

    def ask(rows: Any) -> Any:
        return logits(module(rows), link)

    found = Learnt({}, 0, [], [])
    for epoch in range(recipe.epochs):
        module.train()
        reach = recipe.epsilon * min(1.0, (epoch + 1) / _WARM)
        shuffled = own[torch.randperm(len(own), generator=draw)]
        for turn, at in enumerate(range(0, len(shuffled), recipe.batch)):
            part = shuffled[at : at + recipe.batch]
            rows, target = x[part], y[part]
            norm, kind = _ATTACKS[turn % len(_ATTACKS)]
            keep = int(recipe.clean * len(part))
            moved = changed(ask, (rows[keep:], target[keep:]), box, (norm, kind, recipe.steps, reach), draw)
            optimiser.zero_grad()
            _loss(ask(torch.cat([rows[:keep], moved.detach()])), target, "cross-entropy").mean().backward()
            optimiser.step()
        module.eval()
        clean, robust = _looked(ask, (x[back], y[back]), box, recipe.epsilon, draw)
        best = max(found.robust[_WARM - 1 :], default=-1.0)
        found = Learnt(found.state, found.epoch, [*found.clean, clean], [*found.robust, robust])
        if robust > best and epoch >= min(_WARM, recipe.epochs) - 1:
            found = Learnt(copy.deepcopy(module.state_dict()), epoch + 1, found.clean, found.robust)
        if found.epoch and epoch + 1 - found.epoch >= recipe.patience:
            break
    module.load_state_dict(found.state or module.state_dict())
    return found if found.state else Learnt(module.state_dict(), len(found.clean), found.clean, found.robust)


def _looked(
    ask: Callable[[Any], Any], held: tuple[Any, Any], box: Box, epsilon: float, draw: Any
) -> tuple[float, float]:
    """Return clean and robust accuracy."""
    (x, y), right, moved_right = held, 0, 0
    for at in range(0, len(x), 500):
        rows, target = x[at : at + 500], y[at : at + 500]
        moved = changed(ask, (rows, target), box, ("linf", "margin", _LOOK, epsilon), draw)
        with torch.no_grad():
            fine = ask(rows).argmax(dim=1) == target
            right += int(fine.sum())
            moved_right += int((fine & (ask(moved).argmax(dim=1) == target)).sum())
    return right / len(x), moved_right / len(x)
