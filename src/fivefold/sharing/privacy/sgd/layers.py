r"""Layers: how long each person's gradient is, and the weighted sum of all, from what a layer was given and gave back.

A linear layer with inputs a_t and gradients b_t of its outputs has the gradient sum_t b_t a_t' of one person, whose
squared length is sum_{t,s} (a_t . a_s)(b_t . b_s) (Goodfellow 2015; Li et al. 2022): nothing of the size of the weights
is made. Where there are more places t than that is worth, the gradient of a few persons at a time is made instead and
given up (Bu et al. 2022, mixed clipping). A convolution is a linear layer of its patches. The weighted sum is one
product over the whole batch (Bu et al. 2023, book-keeping). The rows of one person are more places of that person.

Shapes: P persons of R rows each; a layer sees (P R, ...) and its places are gathered to (P, R T, ...).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn import grad as slopes

from fivefold.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    Tensor = torch.Tensor
    Norm = Callable[[Any, Tensor, Tensor, int], Tensor]
    Add = Callable[[Any, Tensor, Tensor, list[Tensor]], None]

_AT_ONCE = 1 << 22
"""Numbers that are made at once where a person's gradient is made at all."""


def supported(module: nn.Module) -> bool:
    """Whether a module's own parameters are handled here."""
    return type(module) in _NORMS


def norms(module: Any, given: Tensor, back: Tensor, rows: int) -> Tensor:
    """Return (P,) squared lengths of each person's gradient of a layer's parameters.

    Args:
        module: The layer.
        given: Its input, (P R, ...).
        back: Gradient of its output, (P R, ...).
        rows: R.
    """
    return _NORMS[type(module)](module, given, back, rows)


def add(module: Any, given: Tensor, back: Tensor, weights: Tensor, views: list[Tensor]) -> None:
    """Add the weighted sum of all rows' gradients.

    Args:
        module: The layer.
        given: Its input.
        back: Gradient of its output.
        weights: (P R,) of each row.
        views: Sums for the weight and, where it has one, the bias.
    """
    _ADD[type(module)](module, given, back * weights.view(-1, *[1] * (back.ndim - 1)), views)


def refuse(module: nn.Module) -> None:
    """Refuse a net whose gradient is not the sum of what each row adds alone.

    Raises:
        UnsupportedError: ``privacy.layer``, with the layer and what to take instead.
    """
    seen: dict[int, str] = {}
    for name, layer in module.named_modules():
        where = f"{name or 'the net'} ({type(layer).__name__})"
        own = dict(layer.named_parameters(recurse=False))
        if isinstance(layer, nn.modules.batchnorm._NormBase):  # noqa: SLF001  the base of all layers that mix rows
            raise _refused(f"{where} mixes the rows of a batch", "Take GroupNorm or LayerNorm in its place.")
        if isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p:  # noqa: SLF001  the base of all of them
            raise _refused(f"{where} draws numbers of its own", "Leave dropout out: the noise does its work.")
        if own and not supported(layer):
            raise _refused(f"{where} has parameters of a kind that is not handled",
                           "Build it of Linear, Conv1d, Conv2d, Embedding, LayerNorm and GroupNorm, or train it with "
                           "Opacus and have that audited (controls.S2.canaries).")  # fmt: skip
        if isinstance(layer, nn.Embedding) and (layer.max_norm or layer.sparse or layer.scale_grad_by_freq):
            raise _refused(f"{where} has max_norm, sparse or scale_grad_by_freq", "Leave them out.")
        for parameter in own.values():
            if (first := seen.setdefault(id(parameter), where)) != where:
                raise _refused(f"{where} and {first} share a parameter", "Give each its own.")
    if not seen:
        raise _refused("the net has no parameters", "Name a factory that makes a net with layers.")


def _refused(fault: str, remedy: str) -> UnsupportedError:
    return UnsupportedError("privacy.layer", f"this net cannot be trained privately here: {fault}.", remedy=remedy)


def _people(value: Tensor, rows: int) -> Tensor:
    """Return (P, places, width) of (P R, ..., width)."""
    return value.reshape(value.shape[0] // rows, -1, value.shape[-1])


def _squares(value: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(value, dim=1)
    return found.square_()


def _product_norms(a: Tensor, b: Tensor) -> Tensor:
    """Return (P,) squared lengths of sum_t b_t a_t' with a (P, T, i) and b (P, T, o)."""
    people, places, width = a.shape
    if places == 1:
        return _squares(a[:, 0]) * _squares(b[:, 0])
    most = max(1, _AT_ONCE // max(1, min(places * places, width * b.shape[2])))
    if people > most:
        pairs = zip(torch.split(a, most), torch.split(b, most), strict=True)
        return torch.cat([_product_norms(one, two) for one, two in pairs])
    if places * places * (width + b.shape[2]) < places * width * b.shape[2]:
        return ((a @ a.transpose(1, 2)) * (b @ b.transpose(1, 2))).sum((1, 2))
    return _squares((b.transpose(1, 2) @ a).reshape(people, -1))


def _linear_norms(module: nn.Linear, given: Tensor, back: Tensor, rows: int) -> Tensor:
    if rows == 1 and given.ndim == 2:
        b = _squares(back)
        return b * _squares(given) if module.bias is None else torch.addcmul(b, b, _squares(given))
    a, b = _people(given, rows), _people(back, rows)
    found = _product_norms(a, b)
    return found if module.bias is None else found + _squares(b.sum(1))


def _linear_add(module: nn.Linear, given: Tensor, back: Tensor, views: list[Tensor]) -> None:
    a, b = (given, back) if back.ndim == 2 else (given.reshape(-1, given.shape[-1]), back.reshape(-1, back.shape[-1]))
    views[0].addmm_(b.t(), a)
    if module.bias is not None:
        views[1].add_(b.sum(0))


def _padded(module: Any, given: Tensor) -> Tensor:
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    sides = module._reversed_padding_repeated_twice  # noqa: SLF001  what the layer itself pads by
    return functional.pad(given, sides, mode=mode) if any(sides) else given


def _patches(module: Any, given: Tensor) -> Tensor:
    """Return (n, groups, channels of a group times the kernel, L)."""
    x = _padded(module, given)
    flat = x.ndim == 3
    kernel, dilation, stride = module.kernel_size, module.dilation, module.stride
    if flat:
        x, kernel, dilation, stride = x.unsqueeze(2), (1, *kernel), (1, *dilation), (1, *stride)
    cut = functional.unfold(x, kernel, dilation=dilation, stride=stride)
    return cut.reshape(len(x), module.groups, -1, cut.shape[-1])


def _conv_norms(module: Any, given: Tensor, back: Tensor, rows: int) -> Tensor:
    people, groups = len(given) // rows, module.groups
    size = module.in_channels // groups * math.prod(module.kernel_size) * groups * math.prod(back.shape[2:]) * rows
    most = max(1, _AT_ONCE // size)
    if people > most:
        pairs = zip(torch.split(given, most * rows), torch.split(back, most * rows), strict=True)
        return torch.cat([_conv_norms(module, one, two, rows) for one, two in pairs])
    a = _patches(module, given)
    b = back.reshape(len(back), groups, module.out_channels // groups, -1)

    def gathered(value: Tensor) -> Tensor:  # (P R, g, k, L) to (P g, R L, k)
        parts = value.reshape(people, rows, groups, value.shape[2], value.shape[3]).permute(0, 2, 1, 4, 3)
        return parts.reshape(people * groups, -1, value.shape[2])

    found = _product_norms(gathered(a), gathered(b)).reshape(people, groups).sum(1)
    if module.bias is None:
        return found
    return found + _squares(back.reshape(len(back), module.out_channels, -1).sum(2)
                            .reshape(people, rows, -1).sum(1))  # fmt: skip


def _conv_add(module: Any, given: Tensor, back: Tensor, views: list[Tensor]) -> None:
    one = given.ndim == 3
    make: Any = slopes.conv1d_weight if one else slopes.conv2d_weight
    views[0].add_(make(_padded(module, given), module.weight.shape, back, stride=module.stride, padding=0,
                       dilation=module.dilation, groups=module.groups))  # fmt: skip
    if module.bias is not None:
        views[1].add_(back.reshape(*back.shape[:2], -1).sum((0, 2)))


def _embedding_norms(module: nn.Embedding, given: Tensor, back: Tensor, rows: int) -> Tensor:
    at = given.reshape(len(given) // rows, -1)
    b = back.reshape(*at.shape, back.shape[-1])
    if module.padding_idx is not None:
        b = b * (at != module.padding_idx).unsqueeze(-1)
    most = max(1, _AT_ONCE // at.shape[1] ** 2)
    found = [
        ((one[:, :, None] == one[:, None, :]) * (two @ two.transpose(1, 2))).sum((1, 2))
        for one, two in zip(torch.split(at, most), torch.split(b, most), strict=True)
    ]
    return torch.cat(found)


def _embedding_add(module: nn.Embedding, given: Tensor, back: Tensor, views: list[Tensor]) -> None:
    views[0].index_add_(0, given.reshape(-1), back.reshape(-1, back.shape[-1]))
    if module.padding_idx is not None:
        views[0][module.padding_idx] = 0


def _scaled_layer(module: nn.LayerNorm, given: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
    """Return what each row adds to weight and bias of a LayerNorm, (n, width) both."""
    shape = module.normalized_shape
    even = functional.layer_norm(given, shape, None, None, module.eps)
    width = math.prod(shape)
    b = back.reshape(len(back), -1, width)
    return (b * even.reshape(len(even), -1, width)).sum(1), b.sum(1)


def _scaled_group(module: nn.GroupNorm, given: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
    even = functional.group_norm(given, module.num_groups, None, None, module.eps)
    b = back.reshape(*back.shape[:2], -1)
    return (b * even.reshape(b.shape)).sum(2), b.sum(2)


def _scaled(module: Any, given: Tensor, back: Tensor) -> tuple[Tensor, Tensor | None]:
    make = _scaled_layer if isinstance(module, nn.LayerNorm) else _scaled_group
    weight, bias = make(module, given, back)
    return weight, None if module.bias is None else bias


def _scaled_norms(module: Any, given: Tensor, back: Tensor, rows: int) -> Tensor:
    parts = [part for part in _scaled(module, given, back) if part is not None]
    return torch.stack([_squares(part.reshape(len(part) // rows, rows, -1).sum(1)) for part in parts]).sum(0)


def _scaled_add(module: Any, given: Tensor, back: Tensor, views: list[Tensor]) -> None:
    weight, bias = _scaled(module, given, back)
    views[0].add_(weight.sum(0).reshape(views[0].shape))
    if bias is not None:
        views[1].add_(bias.sum(0).reshape(views[1].shape))


_NORMS: dict[type, Norm] = {
    nn.Linear: _linear_norms, nn.Conv1d: _conv_norms, nn.Conv2d: _conv_norms, nn.Embedding: _embedding_norms,
    nn.LayerNorm: _scaled_norms, nn.GroupNorm: _scaled_norms,
}  # fmt: skip
_ADD: dict[type, Add] = {
    nn.Linear: _linear_add, nn.Conv1d: _conv_add, nn.Conv2d: _conv_add, nn.Embedding: _embedding_add,
    nn.LayerNorm: _scaled_add, nn.GroupNorm: _scaled_add,
}  # fmt: skip
