"""Peer: Uchida's watermark, trained into a convolution by a regulariser; written anew from the paper.

Source: Uchida, Nagai, Sakazawa and Satoh 2017, *Embedding watermarks into deep neural networks*, sections 3.2 to 3.4:
the weights of one convolution, averaged over its filters, times a drawn matrix X (T x M) and through a sigmoid, are
held to the bits by binary cross-entropy of weight 0.01 beside the loss of the task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import numpy as np

WEIGHT = 0.01


class Mark:
    """T bits in one convolution.

    Attributes:
        name: Of its weight in the state.
    """

    def __init__(self, module: Any, name: str, bits: int, seed: int) -> None:
        """Draw X (bits, M) with M the size of one averaged filter, and the bits."""
        dice = torch.Generator().manual_seed(seed)
        self.name = name
        size = dict(module.named_parameters())[name][0].numel()
        self._drawn = torch.randn(bits, size, generator=dice)
        self._bits = torch.randint(0, 2, (bits,), generator=dice).float()

    def penalty(self, module: Any) -> Any:
        """Return the regulariser (section 3.3, equation 4)."""
        said = self._drawn @ dict(module.named_parameters())[self.name].mean(dim=0).reshape(-1)
        return WEIGHT * torch.nn.functional.binary_cross_entropy_with_logits(said, self._bits, reduction="sum")

    def wrong(self, weights: dict[str, np.ndarray]) -> float:
        """Return the share of bits read wrongly."""
        said = self._drawn.numpy() @ weights[self.name].mean(axis=0).reshape(-1)
        return float(((said > 0) != (self._bits.numpy() > 0)).mean())
