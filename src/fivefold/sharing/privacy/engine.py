"""Engine: who makes the noise of a release: our tables, or OpenDP's exact samplers. All else is the same.

OpenDP is given the exact sums on the grid, in whole numbers, and the scale of our law; before it is used its own map
from distance to loss has to say that a person costs no more than was reserved. Two float roundings stand between our
scale and OpenDP's: the scale is raised by 2^-45 of itself until the map agrees. Source: OpenDP's ``make_gaussian`` and
``make_laplace`` on vectors of i64 (Canonne, Kamath and Steinke 2020).
"""

from __future__ import annotations

import importlib.metadata
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold import __version__
from fivefold.errors import InputError
from fivefold.sharing.privacy.loss import RHO

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.sharing.privacy.vectors import Vector

    Add = Callable[[list[np.ndarray]], list[np.ndarray]]

_RAISE, _TIMES = 1 + 2.0**-45, 1 << 12


def version(engine: str) -> str:
    """Return the version of an engine's package."""
    return __version__ if engine == "fivefold" else importlib.metadata.version(engine)


def opendp(vectors: list[Vector]) -> Add:
    """Return what adds OpenDP's noise to sums on the grid, one (size,) int64 array for each vector.

    Args:
        vectors: With law and loss.

    Raises:
        InputError: ``privacy.engine`` where OpenDP is not installed, or its map calls a vector dearer than it may be.
    """
    try:
        import opendp.prelude as dp
    except ImportError:
        raise InputError(
            "privacy.engine", "OpenDP is not installed, which is to make the noise.",
            remedy="Install it: pip install 'fivefold[opendp]'; or write engine: fivefold.",
        ) from None  # fmt: skip
    dp.enable_features("contrib")  # its samplers are proved, and are all behind this switch
    made = [_measurement(dp, vector) for vector in vectors]
    return lambda sums: [np.array(one(part.tolist()), dtype=np.int64) for one, part in zip(made, sums, strict=True)]


def _measurement(dp: Any, vector: Vector) -> Any:
    """Return a measurement that costs no more than the vector's loss, by OpenDP's own map."""
    most, law = vector.rows * (vector.step // vector.unit), vector.law
    scale = math.sqrt(law.scale) if law.kind == "gaussian" else float(law.scale)
    for _ in range(_TIMES):
        if law.kind == "gaussian":
            space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
            found = dp.m.make_gaussian(*space, scale=scale)
            cost = found.map(math.nextafter(most * math.sqrt(vector.parts), math.inf))
        else:
            space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
            found = dp.m.make_laplace(*space, scale=scale)
            epsilon = found.map(most * vector.parts)
            cost = math.nextafter(epsilon * epsilon / 2, math.inf)
        if cost * RHO <= vector.rho:
            return found
        scale *= _RAISE
    raise InputError("privacy.engine", f"OpenDP calls {vector.query} dearer than it may be.",
                     remedy="Write engine: fivefold.")  # fmt: skip
