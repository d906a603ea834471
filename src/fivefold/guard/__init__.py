"""Guard: the manifest enforced in front of the model; every decision has its record first."""

from fivefold.guard.guard import Guard

__all__ = ["Guard"]
