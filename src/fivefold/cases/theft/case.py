"""The case: a model copied question by question, before and after it is guarded, and proved to be its owner's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from fivefold import catalogue
from fivefold.cases.nouns import Figure, Told
from fivefold.cases.theft.asking import Door, Thief
from fivefold.cases.theft.bank import Loans, applicants
from fivefold.cases.theft.owning import REPLACED, STRANGERS, hidden, is_copy, strangers, taught
from fivefold.protection.theft.learning import learn
from fivefold.stats.mean import skew_t
from fivefold.traceability.watermark.questions import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fivefold.contract.subject import Table
    from fivefold.traceability.watermark.triggers import TriggersOpening

ROWS, OWN, JUDGED = 4_000, 200, 1_000
"""Applicants whom the bank learned from, whom the thief has of his own, and by whom his copy is judged."""
QUESTIONS, ACCOUNTS, DAILY = 600, 10, 96
"""Questions that a thief asks, accounts that he may have, and what an account may ask in a day."""
CONTROLS = {"decimals": 0, "budget": f"{DAILY}/day", "detect": True}
"""Options of the control P2."""
CALLERS, EACH = 5, 80
"""Honest callers, and what each asks in a day."""
_ONE, _TEN = ("account 0",), tuple(f"account {at}" for at in range(ACCOUNTS))
_STORY = (
    (
        "A bank's forest says how likely a loan is repaid, and answers whoever pays for it. Somebody with two hundred "
        "loans of his own asks it six hundred questions and learns a copy from the answers, which he sells as his own "
        "work. He asks in two ways: made-up questions, the thief of P2.extraction (rows mixed and drawn, then those "
        "that copies are least sure of); or rows like those that any customer asks. Somebody else carries the file off."
    ),
    (
        "Harm is how far the copy is the model: on loans that he never asked about it answers as the model does, more "
        "often than what needs no question, the better of the usual answer and a model of his own loans."
    ),
    (
        f"After: the guard's own stages of the control P2, `decimals: 0, budget: {DAILY}/day, detect: true`: labels "
        "alone are let out, an account asks so much a day, and who asks what no honest caller asks is refused from "
        "then on. And the model has learned a hundred questions with answers of a key (T3): whoever serves its file "
        "answers them so, and is told from others at one false claim in a million."
    ),
    (
        "Made-up questions are noticed, also from ten accounts, and little is told of them. Questions like honest ones "
        "are noticed by nobody: an account's budget makes a copy slow, and with ten accounts, or on as many days, a "
        "thief has what he had before; labels alone do not keep it from him. A copy learned by asking has not learned "
        "the key's answers, and its owner cannot claim it."
    ),
)  # fmt: skip
_LIMITS = (
    "The applicants are drawn by a program of ours, and so are those whom the thief asks about: nobody asks better.",
    "Thieves, copies and questions are those of this version. More questions copy more; nothing here bounds them.",
    "Labels alone cost the honest caller the chances; with `noise` some may be let out (docs, P2.shaping).",
    "The key is drawn from the seed and not committed to before a witness (T3.commitment), as it must be in earnest.",
)


@dataclass(frozen=True)
class Got:
    """What a thief has in the end.

    Attributes:
        agreed: Judged rows on which he says the same as the model; his own model's where that is better.
        rescaled: From what needs no question (0) to the model (1).
        answered: Questions that were answered.
        claimed: Whether his answers are called a copy.
    """

    agreed: int
    rescaled: float
    answered: int
    claimed: bool


@dataclass(frozen=True)
class Seen:
    """One bank.

    Attributes:
        judged: Rows by which copies are judged.
        none: Of these, what needs no question says the same as the model: before and after.
        bare: What thieves have before: made-up questions, rows like honest ones.
        guarded: After: made-up questions from one account and from ten, rows like honest ones from one and from ten.
        right: Judged loans that the model tells rightly: before and after.
        honest: Questions of honest callers that are answered, of how many.
        file: Whether who carried the file off is called a copy: before, after, and after with answers replaced.
        accused: Strangers who are called copies.
    """

    judged: int
    none: tuple[int, int]
    bare: tuple[Got, ...]
    guarded: tuple[Got, ...]
    right: tuple[int, int]
    honest: tuple[int, int]
    file: tuple[bool, bool, bool]
    accused: int


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Draw ``runs`` banks, and have each model stolen with and without the controls.

    Args:
        runs: How many.
        seed: Decides everything.
        progress: Called with a share in [0, 1].
    """
    met = banks(runs, seed, progress)
    return Told(
        id="X9.theft",
        title="A model copied by six hundred questions, and one carried off",
        story=_STORY,
        before=_before(met),
        after=_after(met),
        example=tuple(_lines(met)),
        limits=_LIMITS,
        seed=seed,
    )


def banks(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> list[Seen]:
    """Return what came of each bank; see :func:`run`."""
    met = []
    with threadpool_limits(limits=1):
        for at in range(runs):
            met.append(seen(np.random.Generator(np.random.PCG64([seed, at]))))
            progress((at + 1) / runs, f"bank {at + 1} of {runs}")
    return met


def seen(rng: np.random.Generator, rows: int = ROWS, judged: int = JUDGED, questions: int = QUESTIONS) -> Seen:
    """Draw a bank, a thief and customers; steal the model as it is, and behind the guard with a mark in it.

    Args:
        rng: Draws all.
        rows: Applicants whom the bank learned from.
        judged: Whom copies are judged by.
        questions: That a thief asks.
    """
    train, held = applicants("train", rows, rng), applicants("judged", judged, rng)
    opening, asked, more = taught(train, Loans.classes, rng)
    bare, marked = Loans(train, int(rng.integers(2**31))), Loans(more, int(rng.integers(2**31)))
    usual = learn(train.features, rng)
    own, like = applicants("own", OWN, rng), applicants("asked", questions, rng)

    def raid(model: Loans, controls: Mapping[str, Any]) -> _Raid:
        return _Raid(lambda: Thief(Door(model, controls, usual), own, joined([held, asked]), questions, rng), judged,
                     model.predict(asked), opening)  # fmt: skip

    before, after = raid(bare, {}), raid(marked, CONTROLS)
    door = Door(marked, CONTROLS, usual)
    honest = [door.ask(applicants("honest", EACH, rng), (f"customer {at}",)) for at in range(CALLERS)]
    return Seen(
        judged=judged,
        none=(int(before.none.sum()), int(after.none.sum())),
        bare=tuple(before.got(_ONE, some) for some in (None, like)),
        guarded=tuple(after.got(callers, some) for some in (None, like) for callers in (_ONE, _TEN)),
        right=(int((bare.predict(held) == held.target).sum()), int((marked.predict(held) == held.target).sum())),
        honest=(int(np.isfinite(np.concatenate(honest)).all(axis=1).sum()), CALLERS * EACH),
        file=(is_copy(before.told, opening), is_copy(after.told, opening),
              is_copy(hidden(after.told, len(Loans.classes), rng), opening)),
        accused=sum(is_copy(one.predict(asked), opening) for one in strangers(rows, rng)),
    )  # fmt: skip


@dataclass(frozen=True)
class _Raid:
    """Thefts of one model.

    Attributes:
        thief: Makes a thief before a door of his own.
        judged: Rows by which copies are judged; the key's questions come after them.
        told: (q,) what the model answers to these.
        opening: The key.
    """

    thief: Callable[[], Thief]
    judged: int
    told: np.ndarray
    opening: TriggersOpening

    @cached_property
    def none(self) -> np.ndarray:
        """(n,) bool, where what needs no question says the same as the model."""
        return self.thief().nothing().agreed[: self.judged]

    def got(self, callers: tuple[str, ...], rows: Table | None) -> Got:
        """Steal with made-up questions (no rows), or with these."""
        thief = self.thief()
        copy, answered = thief.made_up(callers) if rows is None else thief.alike(rows, callers)
        agreed = max(int(copy.agreed[: self.judged].sum()), int(self.none.sum()))
        blind = float(self.none.mean())
        said = np.where(copy.agreed[self.judged :], self.told, 1 - self.told)  # of two answers, the model's or not
        way = (agreed / self.judged - blind) / max(1 - blind, 1e-9)
        return Got(agreed, way, answered, is_copy(said, self.opening))


def _before(met: list[Seen]) -> tuple[Figure, ...]:
    return (
        _agreed("a copy answers as the model does, made-up questions", met, lambda one: one.bare[0].agreed),
        _agreed("the same, questions like honest ones", met, lambda one: one.bare[1].agreed),
        _agreed("the same without a question", met, lambda one: one.none[0]),
        _halfway("the better of the two", met, lambda one: one.bare),
        Figure("files carried off that their owner can claim", sum(one.file[0] for one in met), len(met), good=True),
        _agreed("loans that the model tells rightly", met, lambda one: one.right[0], good=True),
    )


def _after(met: list[Seen]) -> tuple[Figure, ...]:
    learned = [got for one in met for got in one.guarded]
    files, hid = (sum(one.file[at] for one in met) for at in (1, 2))
    asked = sum(one.honest[1] for one in met)
    return (
        _agreed("a copy answers as the model does, made-up questions from one account", met,
                lambda one: one.guarded[0].agreed),
        _agreed(f"the same, from {ACCOUNTS} accounts", met, lambda one: one.guarded[1].agreed),
        _agreed("questions like honest ones, one account in a day", met, lambda one: one.guarded[2].agreed),
        _agreed(f"the same, {ACCOUNTS} accounts or days", met, lambda one: one.guarded[3].agreed),
        _agreed("the same without a question", met, lambda one: one.none[1]),
        _halfway("one account in a day", met, lambda one: one.guarded[::2]),
        _halfway(f"{ACCOUNTS} accounts or days", met, lambda one: one.guarded),
        Figure("questions of honest callers answered", sum(one.honest[0] for one in met), asked, good=True),
        Figure("files carried off that their owner can claim", files, len(met), good=True),
        Figure(f"the same, {REPLACED:.0%} of the answers replaced", hid, len(met), good=True),
        Figure("copies learned by asking that their owner can claim", sum(got.claimed for got in learned), len(learned),
               good=True),
        Figure("models of others called copies", sum(one.accused for one in met), STRANGERS * len(met), good=False),
        _agreed("loans that the model tells rightly", met, lambda one: one.right[1], good=True),
    )  # fmt: skip


def _agreed(what: str, met: list[Seen], count: Callable[[Seen], int], *, good: bool = False) -> Figure:
    return Figure(what, sum(map(count, met)), sum(one.judged for one in met), good=good)


def _halfway(what: str, met: list[Seen], thieves: Callable[[Seen], tuple[Got, ...]]) -> Figure:
    floor = catalogue.load().checks["P2.extraction"].floor("max_fidelity_gain")
    edge = floor.value if floor else 1.0
    count = sum(max(got.rescaled for got in thieves(one)) > edge for one in met)
    return Figure(f"models copied more than half of the way: {what}", count, len(met), good=False)


WAYS: tuple[tuple[str, Callable[[Seen], Got]], ...] = (
    ("before: made-up questions", lambda one: one.bare[0]),
    ("before: like honest ones", lambda one: one.bare[1]),
    ("after: made-up, one account", lambda one: one.guarded[0]),
    (f"after: made-up, {ACCOUNTS} accounts", lambda one: one.guarded[1]),
    ("after: like honest ones, one account in a day", lambda one: one.guarded[2]),
    (f"after: like honest ones, {ACCOUNTS} accounts or days", lambda one: one.guarded[3]),
)  # fmt: skip
"""What a thief does, to what he has of it."""


def _lines(met: list[Seen]) -> list[str]:
    """Return how far copies get, with bounds over banks, and how many questions were answered."""
    lines = [f"{len(met)} banks; {QUESTIONS} questions asked each time. 0 is what needs no question, 100 the model."]
    for what, of in WAYS:
        way, count = [of(one).rescaled for one in met], [of(one).answered for one in met]
        low, high = skew_t(way)
        bounds = f" (95 % bounds {100 * low:.0f} and {100 * high:.0f})" if np.isfinite(low) else ""
        asked = f"{min(count)} to {max(count)} answered"
        lines.append(f"{what[0].upper()}{what[1:]}: {100 * float(np.mean(way)):.0f} of 100{bounds}, {asked}.")
    return lines
