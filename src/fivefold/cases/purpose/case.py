"""The case: another purpose before the real guard, and long streams of requests before its watch, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.nouns import Figure, Told
from fivefold.cases.purpose.asking import HOURLY, KINDS, honest, people, relabelled
from fivefold.cases.purpose.serving import TRAIN, served
from fivefold.cases.purpose.watching import Seen, declared, watched
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH = 5_000
"""Rows of an honest run, and relabelled rows of another one."""
_FASTER = 12_000
_BEFORE = (200, 3_000)
_STORY = (
    (
        "A bank's model recommends whether a consumer loan will be repaid. A sales department wants to know whom to "
        "write to, a list broker asks for more than it needs, somebody learns the model from made-up people."
    ),
    (
        'First they say what they ask for. Then they say "credit-scoring" like everybody else: other people, one such '
        "request among three, rows put together from cells of others, or the same people three times as often."
    ),
    (
        "Before: the model answers whoever asks. After: the guard stands in front of it, with `controls: {D1: {drift: "
        "refuse}}`, and each purpose's requests are held against the training rows and the declared rate."
    ),
)
_LIMITS = (
    "The applicants are drawn by a program of our own; real people and real requests differ in other ways.",
    "Requests that look like the declared population, at the declared rate, are not told from it.",
    "What is asked before the alarm is answered, and its harm is done.",
)


def run(runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None) -> Told:
    """Run the real guard once, and ``runs`` relabelled streams beside as many honest ones before its watch.

    Args:
        runs: How many of each; the four kinds of relabelling take turns.
        seed: Decides everything but keys.
        progress: Called with a share in [0, 1].
    """
    progress(0.0, "the guard in front of the model")
    met = served(np.random.Generator(np.random.PCG64([seed, 0])))
    bad, good = streams(runs, seed, progress)
    noticed, alarms = sum(one.delay > 0 for one in bad), sum(one.alarm > 0 for one in good)
    alarms_before = sum(one.false for one in bad)
    return Told(
        id="X10",
        title="Requests for another purpose, also under the old words",
        story=_STORY,
        before=(
            Figure("requests for another purpose answered by the model", met.wrong_bare, met.wrong, good=False),
            Figure("rows of a sales campaign answered as credit scoring", met.others_bare, met.others, good=False),
        ),
        after=(
            Figure("requests for another purpose answered by the guard", met.wrong_answered, met.wrong, good=False),
            Figure("of them refused, on record with the reason", met.wrong_named, met.wrong, good=True),
            Figure("honest rows answered by the guard", met.honest_answered, met.honest, good=True),
            Figure("rows of a sales campaign answered until the alarm", met.others_answered, met.others, good=False),
            Figure("relabelled streams noticed", noticed, runs, good=True),
            Figure("honest streams that raised an alarm", alarms, runs, good=False),
            Figure("alarms before anything was relabelled", alarms_before, runs, good=False),
        ),
        example=(
            f"The guard's alarm ({met.alarms} on record): {met.why}",
            f"Noticed: {_bounded(noticed, runs)}.",
            f"Alarms in honest streams of {LENGTH:,} rows: {_bounded(alarms, runs)}.",
            *(_line(kind, [one for one in bad if one.kind == kind]) for kind in KINDS[: max(runs, 1)]),
        ),
        limits=_LIMITS,
        seed=seed,
    )  # fmt: skip


def streams(
    runs: int, seed: int, progress: Callable[[float, str], None] = lambda _share, _text: None
) -> tuple[list[Seen], list[Seen]]:
    """Return what the watch made of relabelled streams and of as many honest ones, each before a watch of its own."""
    bad, good = [], []
    for at in range(runs):
        rng = np.random.Generator(np.random.PCG64([seed, 1, at]))
        aims, kind = declared(people(TRAIN, rng), rng), KINDS[at % len(KINDS)]
        long = _FASTER if kind == "three times as many" else LENGTH
        bad.append(watched(aims, relabelled(kind, int(rng.integers(*_BEFORE)), long, rng)))
        good.append(watched(aims, honest(LENGTH, rng)))
        progress((at + 1) / runs, f"stream {at + 1} of {runs}")
    return bad, good


def _bounded(count: int, n: int) -> str:
    low, high = (float(bound) for bound in clopper_pearson(count, n))
    return f"{count} of {n} (one-sided 95 % bounds {low:.3f} and {high:.3f})"


def _line(kind: str, some: list[Seen]) -> str:
    delays = np.array([one.delay for one in some if one.delay])
    found = f"{kind}: {len(delays)} of {len(some)} noticed"
    if not len(delays):
        return found
    after = f"{np.median(delays):,.0f} rows in the middle, {np.quantile(delays, 0.95):,.0f} in 95 of 100"
    if kind == "three times as many":
        after += f" ({np.median(delays) / (3 * HOURLY):.0f} hours)"
    return f"{found}, after {after}"
