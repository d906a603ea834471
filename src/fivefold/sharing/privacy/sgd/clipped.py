"""Clipped: the sum of gradients of a batch, each person's cut to a length; one forward, one backward, one more product.

Hooks note what each layer was given; one backward pass goes to the layers' outputs only, no gradient of a parameter is
made in it. Then lengths, then the weighted sums, layer by layer (Bu et al. 2023). Threat: one person's row moves the
model by as much as it likes. Limit: numbers are float32; what rounding adds is within :data:`MARGIN`, which is measured
by tests and by each run, not proved.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from fivefold.errors import UnsupportedError
from fivefold.sharing.privacy.sgd import layers

if TYPE_CHECKING:
    from collections.abc import Callable

    Losses = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

MARGIN = 2.0**-7
"""What rounding may add to a person's length, as a share of it."""


_BLOCKS, _FEWEST, _AT_ONCE = 2, 64, 1 << 22
"""Blocks of a batch, at least; persons of a block, at least; numbers of a block that layers give, at most."""
_EACH = 1 << 22
"""Numbers of gradients of each person that are held at once, where a run is looked at."""


class Batch(NamedTuple):
    """The rows of P persons, R each, those of a person one after the other.

    Attributes:
        given: (P R, ...) rows.
        target: (P R, ...) answers.
        share: (P R,) of each row in its person's loss, 0 for one that only fills up; None: 1 each.
    """

    given: torch.Tensor
    target: torch.Tensor
    share: torch.Tensor | None = None


class Clipped:
    """A net whose clipped sums can be asked for.

    Attributes:
        module: The net; its parameters are given no gradients by autograd.
        parameters: Those that are learned, in order.
        size: d, how many numbers they hold.
    """

    def __init__(self, module: nn.Module, clip: float, *, rows: int = 1) -> None:
        """Take a net.

        Args:
            module: The net, a function of (n, ...) to (n, ...) that treats each row alone.
            clip: Longest that a person's gradient is in L2.
            rows: R, rows of each person in a batch.

        Raises:
            UnsupportedError: ``privacy.layer``.
        """
        layers.refuse(module)
        self.module, self._clip, self._rows = module.train(), clip, rows
        self._layers = [layer for layer in module.modules() if next(layer.parameters(recurse=False), None) is not None]
        own = [getattr(layer, name, None) for layer in self._layers for name in ("weight", "bias")]
        self.parameters = [p for p in own if p is not None]
        self.size = sum(p.numel() for p in self.parameters)
        self._seen: dict[nn.Module, tuple[torch.Tensor, torch.Tensor, int]] = {}
        self._count, self._width = 0, 0
        for layer in module.modules():
            if getattr(layer, "inplace", False):
                vars(layer)["inplace"] = False  # outputs of layers are needed as they were
        for p in self.parameters:
            p.requires_grad_(False)  # noqa: FBT003
        for layer in self._layers:
            layer.register_forward_hook(self._note)

    def _note(self, layer: nn.Module, given: tuple[Any, ...], out: torch.Tensor) -> torch.Tensor:
        if not self._count:
            return out
        if layer in self._seen:
            raise UnsupportedError("privacy.layer", f"a layer ({type(layer).__name__}) is used twice for one batch.",
                                   remedy="Make a layer of its own for each use.")  # fmt: skip
        if len(out) != self._count:
            raise UnsupportedError("privacy.layer", f"{type(layer).__name__} is given no rows of the batch in front.",
                                   remedy="Keep the rows of the batch as the first dimension.")  # fmt: skip
        if not out.requires_grad:
            out = out.requires_grad_()
        self._seen[layer] = (given[0].detach(), out, out._version)  # noqa: SLF001  changed in place or not
        return out

    def sum(self, batch: Batch, losses: Losses) -> torch.Tensor:
        """Return (d,) float32: the sum over persons of their gradients, each cut to the length.

        Args:
            batch: The rows; taken in blocks, so that memory does not grow with them.
            losses: Outputs and answers to (P R,) losses of the rows.

        Raises:
            UnsupportedError: ``privacy.layer`` for a net that uses a layer twice, or changes its output in place.
        """
        total, at = torch.zeros(self.size), 0
        views = self._views(total)
        while at < len(batch.given):
            end = at + self._block(len(batch.given))
            share = None if batch.share is None else batch.share[at:end]
            part = Batch(batch.given[at:end], batch.target[at:end], share)
            self._add(self._passed(part, losses), len(part.given), views)
            at = end
        return total

    def _views(self, total: torch.Tensor) -> dict[nn.Module, list[torch.Tensor]]:
        """Return each layer's weight and bias as they lie in one vector."""
        parts = iter(torch.split(total, [p.numel() for p in self.parameters]))
        return {layer: [next(parts).view_as(p) for p in layer.parameters(recurse=False)] for layer in self._layers}

    def _block(self, rows: int) -> int:
        """Return how many rows are taken at once: half of a batch; fewer where layers are wide, or not known yet."""
        most = math.ceil(rows / self._rows / _BLOCKS)
        return max(min(most, _AT_ONCE // (self._width * self._rows)) if self._width else 0, _FEWEST) * self._rows

    def _passed(self, part: Batch, losses: Losses) -> list[tuple[nn.Module, torch.Tensor, torch.Tensor]]:
        """Go forward and back; return layers with what they were given and the gradient of what they gave."""
        self._seen, self._count = {}, len(part.given)
        try:
            out = self.module(part.given)
        finally:
            noted, self._seen, self._count = list(self._seen.items()), {}, 0
        for layer, (_, kept, version) in noted:
            if kept._version != version:  # noqa: SLF001
                raise UnsupportedError("privacy.layer", f"the output of a {type(layer).__name__} is changed in place.",
                                       remedy="Write x = x + y for x += y, and leave out inplace=True.")  # fmt: skip
        self._width = sum(kept.numel() for _, (_, kept, _) in noted) // len(part.given)
        each, outs = losses(out, part.target), [kept for _, (_, kept, _) in noted]
        share = torch.ones_like(each) if part.share is None else part.share
        backs = torch.autograd.grad(each, outs, share, allow_unused=True)
        return [(layer, one[0], back) for (layer, one), back in zip(noted, backs, strict=True) if back is not None]

    @torch.inference_mode()
    def _add(
        self, used: list[tuple[nn.Module, torch.Tensor, torch.Tensor]], count: int,
        views: dict[nn.Module, list[torch.Tensor]],
    ) -> None:  # fmt: skip
        """Add what the rows of a block add up to."""
        squares = torch.zeros(count // self._rows)
        for layer, given, back in used:
            squares += layers.norms(layer, given, back, self._rows)
        weights = self.weights(squares.sqrt())
        if not math.isfinite(float(squares.sum())):
            used = [_without(*one, ~torch.isfinite(squares).repeat_interleave(self._rows)) for one in used]
        each = weights if self._rows == 1 else weights.repeat_interleave(self._rows)
        for layer, given, back in used:
            layers.add(layer, given, back, each, views[layer])

    def weights(self, lengths: torch.Tensor) -> torch.Tensor:
        """Return (P,) what each person's gradient is multiplied by; one that is no number counts as nothing."""
        return (self._clip / lengths.clamp_min(1e-30)).clamp_(max=1.0).nan_to_num_(0.0)

    def explicit(self, batch: Batch, losses: Losses) -> tuple[torch.Tensor, float]:
        """Return the same sum by another way, and the share of persons who were cut.

        The gradient of each person by itself, then cut, then added; a few persons at a time. For looking at a run.
        """
        names = [name for p in self.parameters for name, q in self.module.named_parameters() if q is p]
        held = {name: p.detach() for name, p in zip(names, self.parameters, strict=True)}
        total, cut = torch.zeros(self.size, dtype=torch.float64), 0
        views = torch.split(total, [p.numel() for p in self.parameters])
        share = torch.ones(len(batch.given)) if batch.share is None else batch.share

        def one(parameters: Any, x: torch.Tensor, y: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
            return (losses(functional_call(self.module, parameters, (x,)), y) * part).sum()

        each = vmap(grad(one), in_dims=(None, 0, 0, 0), randomness="same")

        def added(*parts: torch.Tensor) -> int:
            found = each(held, *parts)
            own = [found.pop(name).reshape(len(parts[0]), -1) for name in names]
            lengths = torch.stack([torch.linalg.vector_norm(one, dim=1) for one in own]).norm(dim=0)
            weights, good = self.weights(lengths), torch.isfinite(lengths)
            for view, mine in zip(views, own, strict=True):
                view.add_(weights @ mine if good.all() else weights[good] @ mine[good])
            return int((lengths > self._clip).sum())

        most = max(1, _EACH // self.size) * self._rows
        for at in range(0, len(batch.given), most):
            cut += added(
                *(_by_person(value[at : at + most], self._rows) for value in (batch.given, batch.target, share))
            )
        return total, cut * self._rows / max(len(batch.given), 1)


def _by_person(value: torch.Tensor, rows: int) -> torch.Tensor:
    return value.reshape(-1, rows, *value.shape[1:])


def _without(layer: nn.Module, given: torch.Tensor, back: torch.Tensor, bad: torch.Tensor) -> Any:
    """Return a layer's part with rows taken out whose gradient is no number."""
    return (
        layer,
        torch.nan_to_num(given, posinf=0.0, neginf=0.0) if given.is_floating_point() else given,
        back.masked_fill(bad.reshape(-1, *[1] * (back.ndim - 1)), 0.0),
    )
