"""A plan without the checks that take longest, for tests of what happens around checks."""

from __future__ import annotations

import sys

from fivefold.contract import registry

DEAR = (
    "D2.",
    "E2.",
    "E3.",
    "E4.",
    "F1.individual",
    "P1.",
    "P2.detection",
    "P2.shaping",
    "P3.attribute",
    "P3.corruption",
    "P3.inversion",
    "S5.backdoor",
    "S5.label-noise",
    "S5.outliers",
)
"""How the names of the checks begin that are left out."""

PROGRAM = (
    sys.executable, "-c", "import runpy, tests.few; tests.few.few(); runpy.run_module('fivefold', run_name='__main__')"
)  # fmt: skip
"""The program with such plans; arguments follow."""


def few() -> None:
    """Plan, in this process, as if those checks were not built."""
    whole = registry.checks()
    kept = {name: spec for name, spec in whole.items() if not name.startswith(DEAR)}
    registry.checks = lambda: kept  # type: ignore[assignment]
