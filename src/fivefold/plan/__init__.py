"""From level to claims to checks that bind, each with its reason: pure functions, no engine."""

from fivefold.plan.make import make
from fivefold.plan.seal import seal

__all__ = ["make", "seal"]
