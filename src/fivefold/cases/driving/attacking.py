"""Attacking: a sticker on a sign, rehearsed on other approaches to it, and noise in the camera's frames.

The engines are those of P1.images and P1.standard; what they attack is not a picture but what the car decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fivefold.cases.driving.road import repainted
from fivefold.contract.subject import Table
from fivefold.protection.evasion import patch
from fivefold.protection.evasion.engine import apgd
from fivefold.protection.evasion.engine.trial import Field, Trial
from fivefold.protection.evasion.hunt import Goal, Hunt, Limit
from fivefold.protection.evasion.oracle import Oracle
from fivefold.subject.files.torch_model import TorchModel
from fivefold.subject.possible import space as spaces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fivefold.cases.driving.learning import Reader
    from fivefold.cases.driving.road import Approaches
    from fivefold.contract.subject import Loss

_FRAMES_AT_ONCE = 1200
_LOSSES: tuple[Loss, Loss] = ("cross-entropy", "margin")
Effort = tuple[int, int, int]
"""Places that are tried, gradients at each, and squares that are tried without gradients."""
_APART = 100.0  # more than logarithms of chances differ by
SLOW = -1
"""What the car decides where it knows no sign: it slows down, and its driver takes over."""


def decided(read: np.ndarray, kinds: int, share: float) -> np.ndarray:
    """Return (n,) what a car decides: the kind that most frames show, or :data:`SLOW`.

    Args:
        read: (n, F) kinds, negative where a frame was not answered.
        kinds: How many there are.
        share: Of all frames, at least so many have to say the same.
    """
    votes = (read[..., None] == np.arange(kinds)).sum(axis=1)
    return np.where(votes.max(axis=1) >= share * read.shape[1], votes.argmax(axis=1), SLOW)


@dataclass(frozen=True)
class Attacker:
    """What somebody knows who wants signs to be missed.

    Attributes:
        reader: What reads the frames, with its guard: whatever he makes, he tries out on it.
        share: The car's rule; see :func:`decided`.
        nets: Whose slopes he follows together, one set after the other on the signs that stand.
        sure: In rehearsal at least such a share of the frames has to say the same wrong thing.
    """

    reader: Reader
    share: float
    nets: tuple[tuple[Any, ...], ...]
    sure: float = 0.0


class Passing:
    """A car that passes signs, as an engine asks it; see :class:`fivefold.protection.evasion.engine.trial.Victim`.

    Rows are sheets of signs that are painted over, or the frames themselves. What the attacker wants is another
    decision that is not to slow down.
    """

    def __init__(self, seen: Approaches, by: Attacker, nets: tuple[Any, ...], *, sticker: bool) -> None:
        """Take the signs and what reads them."""
        from fivefold.cases.driving.nets import Painted, Passage

        self.seen, self.by, self.sticker = seen, by, sticker
        passage = Passage(nets)
        self._painted = Painted(passage)
        self._model = TorchModel(self._painted if sticker else passage, None, 0)
        self.classes = by.reader.kinds

    def can(self, _rows: int) -> bool:
        """Whether so many rows may still be asked; always."""
        return True

    def labels(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m,) decisions; the sign itself where the car slows down."""
        found, own = [], self.seen.kinds[rows]
        for part, given in self._parts(values, rows):
            frames = painted(part, given) if self.sticker else given
            found.append(self.by.reader.decide(frames, max(self.by.share, self.by.sure)))
        told = np.concatenate(found)
        return np.where(told == SLOW, own, told)

    def scores(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return (m, K) logarithms of chances over all frames, by net and members; another kind leads if decided so."""
        found, own, here = [], self.seen.kinds[rows], np.arange(len(rows))
        for part, given in self._parts(values, rows):
            found.append(self.by.reader.chances(painted(part, given) if self.sticker else given))
        told = np.concatenate(found)
        told[here, own] += np.where(self.labels(values, rows) == own, _APART, -_APART)
        return told

    def slopes(
        self, values: np.ndarray, rows: np.ndarray, target: np.ndarray, loss: Loss
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) losses and (m, d) slopes of what :class:`fivefold.cases.driving.nets.Passage` says."""
        losses, slopes, at = [], [], 0
        for part, given in self._parts(values, rows):
            self._painted.seen = part
            wanted = target[at : at + len(given)]
            one, slope = self._model.gradient(given, wanted, loss, order=range(self.classes), linked=True)
            losses.append(one)
            slopes.append(slope.reshape(len(given), -1))
            at += len(given)
        return np.concatenate(losses), np.concatenate(slopes)

    def _parts(self, values: np.ndarray, rows: np.ndarray) -> Iterator[tuple[Approaches, np.ndarray]]:
        shape = (self.seen.sheets if self.sticker else self.seen.frames).shape[1:]
        step = max(1, _FRAMES_AT_ONCE // self.seen.frames.shape[1])
        for at in range(0, len(rows), step):
            yield self.seen[rows[at : at + step]], values[at : at + step].reshape(-1, *shape).astype(np.float32)


def painted(seen: Approaches, faces: np.ndarray) -> np.ndarray:
    """Return (n, F, 3, H, W) frames as if the sheets had been painted over with (n, 3, S, S) others."""
    import torch

    return np.asarray(repainted(seen, torch.as_tensor(faces.astype(np.float32))).numpy())


def sticker(seen: Approaches, by: Attacker, side: int, rng: np.random.Generator, effort: Effort) -> np.ndarray:
    """Paint one square of each sign, anywhere and as one likes, so that cars miss it: the patch of P1.images.

    Args:
        seen: Approaches in which it is rehearsed.
        by: Who does.
        side: Of the square, in pixels of the sheet.
        rng: Places and contents.
        effort: How hard.

    Returns:
        (n, 3, S, S) sheets; those that nothing was found for are as they were.
    """
    found, standing = seen.sheets.copy(), np.arange(len(seen))
    places, steps, pastes = effort
    plan = patch.Plan(side=side, places=places, steps=steps, pastes=pastes, white=True, grey=True)
    for nets in by.nets:
        here = seen[standing]
        table = _as_table(here)
        victim, start = Passing(here, by, nets, sticker=True), here.sheets.reshape(len(here), -1).astype(np.float64)
        hunt = Hunt(
            spaces.of_images([table]), Oracle(victim.labels), start, table.rows, goal=Goal(here.kinds),
            limit=Limit(1.0, 0.0, 1),
        )  # fmt: skip
        made = patch.attack(hunt, victim, plan, start[:0], rng)
        found[standing] = made.found.reshape(len(here), *seen.sheets.shape[1:])
        standing = standing[~made.fallen]
        if not len(standing):
            break
    return found


def _as_table(seen: Approaches) -> Table:
    none = pd.DataFrame(index=range(len(seen)))
    return Table("signs", np.arange(len(seen)), none, seen.kinds, none, seen.sheets, "image")


def noise(seen: Approaches, by: Attacker, reach: float, rng: np.random.Generator, steps: int) -> np.ndarray:
    """Change every pixel of every frame by at most ``reach`` so that cars miss the sign: Auto-PGD over all frames.

    Args:
        seen: The very approaches that are changed.
        by: Who does.
        reach: Share of the range.
        rng: Random starts.
        steps: Of each of two ascents for each of his nets.

    Returns:
        (n, F, 3, H, W) frames.
    """
    found, standing = seen.frames.copy(), np.arange(len(seen))
    for nets in by.nets:
        here = seen[standing]
        start = here.frames.reshape(len(here), -1)
        box = np.zeros((1, start.shape[1]), dtype=np.float32)
        trial = Trial(Field(start, box, box + 1, "linf", reach), Passing(here, by, nets, sticker=False), here.kinds)
        for loss in _LOSSES:
            trial.begin(loss)
            apgd.climb(trial, loss, steps=steps, rng=rng)
        found[standing] = trial.found.reshape(here.frames.shape)
        standing = standing[~trial.fallen]
        if not len(standing):
            break
    return found
