"""Learning: nets that read frames, one as it comes and one trained on changed frames, and the guard beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import convert

from fivefold.adaptation.ensemble.delivered import Members
from fivefold.adaptation.fallback.opening import opened
from fivefold.cases.driving.attacking import Attacker, decided, painted, sticker
from fivefold.protection.evasion.harden.recipe import Recipe

if TYPE_CHECKING:
    from fivefold.adaptation.fallback.ladder import Ladder
    from fivefold.cases.driving.road import Approaches
    from fivefold.subject.rows import Rows

REACH = 0.03
"""Most that the noise may change of a pixel, as a share of its range: 8 of 255."""
MEMBERS = {"members": 3, "false_alarms": 0.03}
LADDER = {"risk": 0.02, "levels": ["model", "refuse"]}
_PLAIN = Recipe(epsilon=0.001, steps=1, clean=0.9, epochs=8, patience=8)
ROBUST = {"epsilon": REACH, "steps": 3, "epochs": 7, "patience": 7}
"""How `model train --robust` trains; see :class:`fivefold.protection.evasion.harden.recipe.Recipe`."""
_ROBUST = convert(ROBUST, Recipe)
_AGAIN = Recipe(epsilon=REACH, steps=3, epochs=3, patience=3)
_ROUNDS = 2
_STUCK, _PAINT = 500, (2, 6, 0)  # signs of a round, and how hard stickers are sought for them
_COPY, _STIR = 8, 0.3
Lesson = tuple[np.ndarray, np.ndarray]
"""(m, 3, H, W) frames and (m,) kinds."""


@dataclass(frozen=True)
class Reader:
    """What reads frames.

    Attributes:
        net: A torch module, (m, 3, H, W) to (m, K) logits.
        kinds: K.
        members: The ensemble beside it; None: there is none.
        ladder: Who answers; None: the net does.
    """

    net: Any
    kinds: int
    members: Members | None = None
    ladder: Ladder | None = None

    def ask(self, frames: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return (m,) kinds that the net reads in frames (m, 3, H, W), and (m, K) probabilities."""
        import torch

        with torch.no_grad():
            chances = torch.softmax(self.net(torch.as_tensor(np.asarray(frames))).double(), dim=1).numpy()
        return chances.argmax(axis=1), chances

    def read(self, frames: np.ndarray) -> np.ndarray:
        """Return (m,) kinds; -1 where the guard gives no answer."""
        told = self.ask(frames)
        suspect = None if self.members is None else self.members.judge(frames, *told).alarm
        return told[0] if self.ladder is None else self.ladder.descend(frames, told, suspect, watch=False).answers

    def decide(self, frames: np.ndarray, share: float) -> np.ndarray:
        """Return (n,) decisions on approaches (n, F, 3, H, W); see :func:`fivefold.cases.driving.attacking.decided`."""
        read = self.read(frames.reshape(-1, *frames.shape[2:])).reshape(frames.shape[:2])
        return decided(read, self.kinds, share)

    def chances(self, frames: np.ndarray) -> np.ndarray:
        """Return (n, K) logarithms of what net and members, by their geometric mean, say of all frames in the mean."""
        rows = frames.reshape(-1, *frames.shape[2:])
        told = self.ask(rows)[1]
        if self.members is not None:
            told = np.sqrt(told * self.members.scores(rows))
            told /= told.sum(axis=1, keepdims=True)
        return np.asarray(np.log(told.reshape(*frames.shape[:2], -1).mean(axis=1) + 1e-9))


def flat(seen: Approaches) -> tuple[np.ndarray, np.ndarray]:
    """Return (m, 3, H, W) frames of all approaches and (m,) their kinds."""
    count = seen.frames.shape[1]
    return seen.frames.reshape(-1, *seen.frames.shape[2:]), np.repeat(seen.kinds, count).astype(np.int64)


def plain(seen: Approaches, kinds: int, rng: np.random.Generator) -> Reader:
    """Return a net trained on frames as they are: the trainer of `model train --robust` with next to no reach."""
    from fivefold.cases.driving.nets import network

    seed = int(rng.integers(2**31))
    net = network(kinds, seed)
    _learn(net, flat(seen), _PLAIN, seed)
    return Reader(net, kinds)


def hardened(seen: Approaches, kinds: int, rng: np.random.Generator, side: int) -> tuple[Reader, Lesson]:
    """Return a net trained as `model train --robust` does, on frames and on the same signs with stickers.

    The stickers are those that fool the net of the round before.

    Args:
        seen: What is learned from.
        kinds: How many there are.
        rng: Seeds, places.
        side: Pixels of a sticker on the sheet.
    """
    from fivefold.cases.driving.nets import network

    seed = int(rng.integers(2**31))
    net = network(kinds, seed)
    rows, truth = flat(seen)
    _learn(net, (rows, truth), _ROBUST, seed)
    for turn in range(_ROUNDS):
        some = seen[rng.permutation(len(seen))[:_STUCK]]
        faces = sticker(some, Attacker(Reader(net, kinds), 0.0, ((net,),)), side, rng, _PAINT)
        stuck = painted(some, faces).reshape(-1, *rows.shape[1:])
        rows, truth = np.concatenate([rows, stuck]), np.concatenate([truth, flat(some)[1]])
        _learn(net, (rows, truth), _AGAIN, seed + turn + 1)
    return Reader(net, kinds), (rows, truth)


def guarded(
    bare: Reader, lesson: Lesson, tried: Approaches, names: tuple[str, ...], rng: np.random.Generator
) -> Reader:
    """Return a net with the controls C2 and C3 beside it.

    Args:
        bare: The net.
        lesson: What the ensemble is fitted to.
        tried: Approaches that nothing was fitted to: thresholds.
        names: Of the kinds.
        rng: Choices of the ensemble.
    """
    rows, truth = flat(tried)
    members = Members({"C2": MEMBERS}, lesson, rows, bare.ask, width=len(names), rng=rng)
    return Reader(bare.net, bare.kinds, members, opened(LADDER, names, (rows, truth), bare.ask(rows)))


def copied(reader: Reader, lesson: Lesson, rng: np.random.Generator) -> Any:
    """Return a net that an attacker has taught what the ensemble says, also of stirred frames: it has slopes."""
    from fivefold.cases.driving import nets

    if reader.members is None:
        return reader.net
    rows = lesson[0]
    amount = rng.uniform(0, _STIR, (len(rows), 1, 1, 1)).astype(np.float32)
    stirred = rows + amount * (2 * rng.random(rows.shape, dtype=np.float32) - 1)
    rows = np.concatenate([rows, np.clip(stirred, 0, 1)])
    return nets.copied(rows, reader.members.scores(rows), int(rng.integers(2**31)), _COPY)


def _learn(net: Any, given: tuple[np.ndarray, np.ndarray], recipe: Recipe, seed: int) -> None:
    import torch

    from fivefold.protection.evasion.harden import learn

    zero, one = torch.zeros(given[0].shape[1:]), torch.ones(given[0].shape[1:])
    learn.learn(net, given, learn.Box(zero, one, one), recipe, link="logits", seed=seed)
    net.eval()
