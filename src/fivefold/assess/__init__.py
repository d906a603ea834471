"""Runs a plan: isolation, order, limits, progress, resuming; an object in memory is assessed in process.

``assess_model`` is the entry for library use and loads its engines when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fivefold.assess.memory import assess_model

__all__ = ["assess_model"]


def __getattr__(name: str) -> Any:
    if name == "assess_model":
        from fivefold.assess.memory import assess_model

        return assess_model
    raise AttributeError(name)
