"""Spec: how a net is learned privately, as a manifest declares it under ``controls.S2.training.net``."""

from __future__ import annotations

from typing import Literal

import msgspec

_MOST_BATCH, _MOST_EPOCHS = 1 << 20, 1000.0


class Net(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A net.

    Attributes:
        factory: ``module:function`` of the application: (inputs) to a torch module with two outputs.
        batch: Persons of a batch, expected.
        epochs: How often each person takes part, expected.
        clip: Longest that a person's gradient is.
        rate: Learning rate.
        momentum: Of ``sgd``.
        optimiser: ``sgd`` or ``adam``.
        seconds: Longest that it may take.
        memory_mb: Most memory.
    """

    factory: str
    batch: int = 256
    epochs: float = 10.0
    clip: float = 1.0
    rate: float = 0.1
    momentum: float = 0.9
    optimiser: Literal["sgd", "adam"] = "sgd"
    seconds: int = 3600
    memory_mb: int = 4096

    def fault(self) -> str:
        """Return what is wrong with it; empty: nothing."""
        module, _, name = self.factory.partition(":")
        if not module or not name:
            return "net.factory: write module:function."
        if not 1 <= self.batch <= _MOST_BATCH or not 0 < self.epochs <= _MOST_EPOCHS:
            return f"net.batch: 1 to {_MOST_BATCH}; net.epochs: above 0 and at most {_MOST_EPOCHS:g}."
        if not 0 < self.clip < float("inf") or not 0 < self.rate < float("inf") or not 0 <= self.momentum < 1:
            return "net.clip and net.rate: above 0; net.momentum: 0 to below 1."
        if self.seconds < 1 or self.memory_mb < 1:
            return "net.seconds and net.memory_mb: at least 1."
        return ""
