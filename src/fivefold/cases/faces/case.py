"""The case: officials are searched in a gallery of mug shots, at a threshold for pairs and at one with confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from fivefold.cases.faces.gallery import World, nearest, same, world
from fivefold.cases.nouns import Figure, Told
from fivefold.protection.operating.search import threshold_for

if TYPE_CHECKING:
    from collections.abc import Callable

OFFICIALS, WANTED, GALLERY = 535, 300, 25_000
"""Officials who are in no gallery, wanted people who are, and mug shots."""
SIZES = (1, 100, 1_000, 10_000, GALLERY)
"""Sizes of galleries whose false matches are counted."""
SHIPPED = 0.40
"""Threshold that the library ships for this distance."""
LIMIT = 0.01
"""Share of innocent people that may be matched, by its upper bound."""
CALIBRATION = (3_000, 4_000)
"""Searches of people who are not there, and how many people each goes through, that choose the threshold."""
DECEIVED = 0.3
"""Share of wrong candidates that a person who looks takes for right: an assumption."""
OVERLOOKED = 0.1
"""Share of right candidates that such a person takes for wrong: an assumption."""
_STORY = (
    (
        "A program compares faces and gives a distance. On 280 real pairs a threshold is found that errs in none of "
        "them, and it is set to search a gallery of 25,000 mug shots for 535 officials, none of whom is in it."
    ),
    (
        "Before: whoever has a mug shot nearer than the threshold is matched. After: the threshold is chosen on 3,000 "
        "searches of people who are not in a gallery, so that with 95 % confidence at most 1 % of them would be "
        "matched among 25,000; whoever is farther away is refused a name; and a person looks at each match left."
    ),
    (
        "No error in 280 pairs means at most 2 % with 95 % confidence, and 2 % of 25,000 is five hundred people. The "
        "price of the second threshold is that wanted people are missed: this matcher is not good enough for that."
    ),
)
_LIMITS = (
    "Distances are drawn as normal ones after 280 real pairs, which do not show how near strangers can come.",
    "A tenth of the variance is each face's own; groups of people who look alike to a matcher are not drawn.",
    "That a reviewer takes three wrong candidates in ten for right, and one right one in ten for wrong, is assumed.",
)


@dataclass(frozen=True)
class Seen:
    """One draw of officials, wanted people and gallery.

    Attributes:
        near: (o, s) distance of the nearest stranger to each official, for each gallery of :data:`SIZES`.
        own: (w,) distance of each wanted person to his own mug shot.
        stranger: (w,) and to the nearest other.
        edge: The threshold with confidence.
        fooled: (o,) bool, whether a reviewer would take a wrong candidate of this official for right.
        spotted: (w,) bool, whether a reviewer takes the right candidate for right.
    """

    near: np.ndarray
    own: np.ndarray
    stranger: np.ndarray
    edge: float
    fooled: np.ndarray
    spotted: np.ndarray

    def matched(self, edge: float) -> int:
        """Return how many officials are matched at a threshold."""
        return int((self.near[:, -1] <= edge).sum())

    def accused(self) -> int:
        """Return how many officials are matched after all controls."""
        return int(((self.near[:, -1] <= self.edge) & self.fooled).sum())

    def found(self, edge: float) -> np.ndarray:
        """Return (w,) bool, whose own mug shot is the nearest and near enough."""
        return np.asarray((self.own <= edge) & (self.own < self.stranger))


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` galleries and search each with and without the controls.

    Args:
        runs: How many.
        seed: Decides everything.
        progress: Called with a share in [0, 1].
    """
    known, met = world(), []
    for at in range(runs):
        met.append(seen(known, np.random.Generator(np.random.PCG64([seed, at]))))
        progress((at + 1) / runs, f"gallery {at + 1} of {runs}")
    officials, wanted = runs * OFFICIALS, runs * WANTED
    wrong = int(((known.pairs <= known.gap) != known.genuine).sum())

    def matched(edge: float) -> int:
        return sum(one.matched(edge) for one in met)

    def found(edge: float) -> int:
        return sum(int(one.found(edge).sum()) for one in met)

    return Told(
        id="X8",
        title="No error in 280 pairs, and nearly every official has a double among the mug shots",
        story=_STORY,
        before=(
            Figure("pairs of faces decided wrongly at the threshold", wrong, len(known.pairs), good=False),
            Figure("officials matched to a mug shot", matched(known.gap), officials, good=False),
            Figure(f"the same at the threshold that the library ships, {SHIPPED:.2f}", matched(SHIPPED), officials,
                   good=False),
            Figure("wanted people found under their own name", found(known.gap), wanted, good=True),
        ),
        after=(
            Figure("officials matched at the threshold with confidence",
                   sum(one.matched(one.edge) for one in met), officials, good=False),
            Figure("officials matched after a person has looked", sum(one.accused() for one in met), officials,
                   good=False),
            Figure("wanted people found, after a person has looked",
                   sum(int((one.found(one.edge) & one.spotted).sum()) for one in met), wanted, good=True),
            Figure("wanted people refused a name", sum(int((np.minimum(one.own, one.stranger) > one.edge).sum())
                   for one in met), wanted, good=False),
        ),
        example=tuple(_lines(known, met)),
        limits=_LIMITS,
        seed=seed,
    )  # fmt: skip


def seen(known: World, rng: np.random.Generator, sizes: tuple[int, ...] = SIZES) -> Seen:
    """Draw one gallery, its searches, and the searches that choose a threshold.

    Args:
        known: How far faces are apart.
        rng: Draws all.
        sizes: Sizes of galleries; the last is the one that is searched.
    """
    near = nearest(known, OFFICIALS + WANTED, sizes, rng)
    calibration = nearest(known, CALIBRATION[0], (CALIBRATION[1],), rng)[:, 0]
    edge = threshold_for(-calibration, CALIBRATION[1], sizes[-1], LIMIT)
    return Seen(
        near=near[:OFFICIALS],
        own=same(known, WANTED, rng),
        stranger=near[OFFICIALS:, -1],
        edge=0.0 if edge is None else -edge,
        fooled=rng.random(OFFICIALS) < DECEIVED,
        spotted=rng.random(WANTED) >= OVERLOOKED,
    )


def over_runs(shares: np.ndarray) -> tuple[float, float, float]:
    """Return mean and a two-sided 95 % interval over runs (Student's t); with one run the ends are the value."""
    mean, n = float(shares.mean()), len(shares)
    half = float(stdtrit(n - 1, 0.975)) * float(shares.std(ddof=1)) / np.sqrt(n) if n > 1 else 0.0
    return mean, max(mean - half, 0.0), min(mean + half, 1.0)


def _lines(known: World, met: list[Seen]) -> list[str]:
    """Return intervals over galleries, false matches by size, and the first official."""
    before = np.array([one.matched(known.gap) for one in met]) / OFFICIALS
    after = np.array([one.accused() for one in met]) / OFFICIALS
    edges = [one.edge for one in met]
    lines = [
        f"Thresholds (distance): for pairs {known.gap:.3f}, with confidence {min(edges):.3f} to {max(edges):.3f}.",
        "Officials matched, mean over galleries and 95 % interval: before {:.1%} ({:.1%} to {:.1%})".format(
            *over_runs(before)
        )
        + ", after {:.2%} ({:.2%} to {:.2%}).".format(*over_runs(after)),
    ]
    for at, size in enumerate(SIZES):
        shares = [float((one.near[:, at] <= known.gap).mean()) for one in met]
        kept = [float((one.near[:, at] <= one.edge).mean()) for one in met]
        lines.append(f"Gallery of {size:>6,}: {np.mean(shares):6.1%} matched before, {np.mean(kept):.2%} after.")
    return lines
