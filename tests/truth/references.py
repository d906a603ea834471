"""References: undefended subjects, named by the catalogue's floors, that no floor may let pass."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import accuracy, evasion, extraction, gaps, membership

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .entry import Make

REFERENCES: Mapping[str, Make] = {
    "bare-logistic": extraction.build,
    "undefended-linear": evasion.undefended,
    "unfair-to-a-group": partial(gaps.unfair, rows=20_000),
    "memorising-model": partial(membership.build, auc=0.9, retrains=False),
    "constant-answer": accuracy.constant,
}
"""Name under ``reference`` in the catalogue to the subject."""
