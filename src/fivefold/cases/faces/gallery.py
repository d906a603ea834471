"""Gallery: distances between people, drawn after 280 real pairs of faces, and what a search sees of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np

_PROBE, _PERSON = 0.1, 0.1
_CHUNK = 4_000_000


@dataclass(frozen=True)
class World:
    """How far faces are apart: means and standard deviations of the cosine distance.

    Attributes:
        same: Of two photos of one person.
        other: Of two people.
        pairs: (n,) real distances.
        genuine: (n,) bool, whether each is of one person.
    """

    same: tuple[float, float]
    other: tuple[float, float]
    pairs: np.ndarray
    genuine: np.ndarray

    @property
    def gap(self) -> float:
        """The threshold in the middle between the farthest pair of one person and the nearest of two."""
        return float((self.pairs[self.genuine].max() + self.pairs[~self.genuine].min()) / 2)


def world() -> World:
    """Return what the 280 pairs say."""
    lines = files(__package__).joinpath("pairs.csv").read_text(encoding="utf-8").split()[1:]
    answers, distances = zip(*(line.split(",") for line in lines), strict=True)
    genuine, pairs = np.array(answers) == "yes", np.array(distances, dtype=np.float64)
    one, two = pairs[genuine], pairs[~genuine]
    return World(
        (float(one.mean()), float(one.std(ddof=1))), (float(two.mean()), float(two.std(ddof=1))), pairs, genuine
    )


def same(known: World, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) distances between two photos of one person each."""
    return np.maximum(rng.normal(*known.same, n), 0.0)


def nearest(known: World, probes: int, sizes: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return how near the nearest stranger of a gallery is to each probe.

    A distance is normal; a tenth of its variance is the probe's own (some faces are near to many), a tenth the other
    person's.

    Args:
        known: The distances.
        probes: p people, none of whom is in the gallery.
        sizes: Rising sizes of galleries, each the beginning of the next.
        rng: Draws all.

    Returns:
        (p, s) distances.
    """
    mean, spread = known.other
    person = np.sqrt(_PERSON) * rng.standard_normal(sizes[-1], dtype=np.float32)
    own = np.sqrt(_PROBE) * rng.standard_normal(probes, dtype=np.float32)
    found = np.empty((probes, len(sizes)))
    step = max(1, _CHUNK // sizes[-1])
    starts = np.array((0, *sizes[:-1]))
    for start in range(0, probes, step):
        some = own[start : start + step, None]
        rest = np.float32(np.sqrt(1 - _PROBE - _PERSON)) * rng.standard_normal((len(some), sizes[-1]), dtype=np.float32)
        rest += person
        parts = np.minimum.reduceat(rest, starts, axis=1) + some
        found[start : start + step] = np.minimum.accumulate(parts, axis=1)
    return np.maximum(mean + spread * found, 0.0)
