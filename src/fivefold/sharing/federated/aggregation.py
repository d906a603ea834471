"""Check S3.aggregation: whoever drops out, the sum is exact or the round ends, and nobody is read alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.play import Party, party, play
from fivefold.sharing.federated.server import Server, Sum
from fivefold.sharing.federated.terms import RoundError
from fivefold.stats.judge import judge
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Literal

    from fivefold.contract.check import Context
    from fivefold.keys.signing import PublicKey
    from fivefold.sharing.federated.declared import Federation
    from fivefold.sharing.federated.messages import Masked, Request, Shares
    from fivefold.sharing.federated.terms import Terms

COMPLETED, SEEN = "min_completed", "max_seen"
LEAST_SOUND = 0.94
"""Rounds that are exact or end cleanly: all of 60, which shows this."""
_SIZE = 64
_REMEDY = "Leave `masking` on, and declare a `degree` at which enough neighbours are left at the declared `drop`."


class Partial(Server):
    """The planted fault: a server that sums what it has where a secret cannot be had."""

    def finish(self, shares: Iterable[Shares]) -> Sum:
        """Take off what can be."""
        try:
            return super().finish(shares)
        except RoundError:
            return Sum(self._total, tuple(sorted(self._alive)))

    def _enough(self, count: int) -> None:
        """Go on with however few."""


class Eyes(Server):
    """A server that keeps what it is sent."""

    def __init__(self, terms: Terms, roster: Mapping[str, PublicKey]) -> None:
        super().__init__(terms, roster)
        self.sent: dict[str, bytes] = {}

    def collect(self, masked: Iterable[Masked]) -> dict[str, Request]:
        """Keep the vectors."""
        listed = list(masked)
        self.sent = {one.name: one.vector for one in listed}
        return super().collect(listed)


def watching(kept: list[Eyes]) -> Callable[[Terms, Mapping[str, PublicKey]], Server]:
    """Return how a server is made that keeps what it is sent, and is itself put into a list."""

    def make(terms: Terms, roster: Mapping[str, PublicKey]) -> Server:
        kept.append(Eyes(terms, roster))
        return kept[-1]

    return make


def run(context: Context) -> Result:
    """Judge S3.aggregation.

    Threat: a drop-out spoils the sum in silence, or makes single updates readable.
    Limit: the sum itself is known to the server, and who took part.

    Raises:
        UnsupportedError: ``federated.undeclared``, ``federated.declared``, ``federated.robust-masked``.
    """
    told = declared(context)
    clients = party(list(told.terms(_SIZE, "names").clients), context.rng.bytes)
    rounds = context.rows
    sound = share_of(
        "rounds that are exact or end", _sound(told, clients, rounds, context.rng), LEAST_SOUND,
        note="Who leaves, and when, is drawn anew each round, from nobody to all.",
    )  # fmt: skip
    context.progress(0.4, "rounds at the declared drop-out rate")
    completed, seen = _lived(told, clients, rounds, context)
    bird = _canary(told, clients, max(rounds // 2, 20), context.rng)
    measures = (completed, seen, sound)
    found = {one.outcome for one in measures}
    outcome = next((one for one in (Outcome.FAIL, Outcome.INCONCLUSIVE) if one in found), Outcome.PASS)
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, measures, told),
        measures=measures,
        canary=bird,
        limits=("The server knows the sum and who took part; of few clients, or of clients alike, a sum tells much.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def vectors_of(names: Iterable[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return a vector for each client."""
    return {name: rng.integers(0, 1 << 16, _SIZE, dtype=np.uint32) for name in names}


def _sound(
    told: Federation, clients: Party, rounds: int, rng: np.random.Generator, *, server: type[Server] = Server,
    late: bool = False,
) -> tuple[int, int]:  # fmt: skip
    """Return in how many rounds the sum was that of those included, or the round ended; and the rounds.

    ``late``: more leave than may, at the last stage.
    """
    good, names = 0, list(clients.signers)
    fewest = len(names) - told.terms(_SIZE, "few").threshold + 1 if late else 0
    for number in range(rounds):
        gone = rng.choice(names, int(rng.integers(fewest, len(names) + (not late))), replace=False).tolist()
        leaves = {name: 4 if late else int(rng.integers(1, 5)) for name in gone}
        name = f"sound {number} {rng.integers(1 << 62)}"
        good += _exact(told, clients, leaves, (name, rng), server=server) is not False
    return good, rounds


def _exact(
    told: Federation, clients: Party, leaves: Mapping[str, int], drawn: tuple[str, np.random.Generator], *,
    server: type[Server],
) -> bool | None:  # fmt: skip
    """Return whether a round's sum was right; None: it ended without one."""
    name, rng = drawn
    vectors = vectors_of(clients.signers, rng)
    if not told.masking:
        return True
    try:
        found = play(told.terms(_SIZE, name), clients, vectors, leaves=leaves, server=server)
    except RoundError:
        return None
    wanted = np.add.reduce([vectors[one] for one in found.included], dtype=np.uint32)
    return bool((found.total == wanted).all())


def _lived(told: Federation, clients: Party, rounds: int, context: Context) -> tuple[Measure, Measure]:
    """Play rounds at the declared rate of drop-outs, and look at what the server was sent."""
    rng, names, done, seen, sent = context.rng, list(clients.signers), 0, 0, 0
    for number in range(rounds):
        leaves = {name: int(rng.integers(1, 5)) for name in names if rng.random() < told.drop}
        vectors = vectors_of(names, rng)
        if not told.masking:
            done, seen, sent = done + 1, seen + len(names), sent + len(names)
            continue
        kept: list[Eyes] = []

        terms = told.terms(_SIZE, f"lived {number} {rng.integers(1 << 62)}")
        try:
            play(terms, clients, vectors, leaves=leaves, server=watching(kept))
            done += 1
        except RoundError:
            pass
        for name, data in kept[0].sent.items():
            seen += bool((np.frombuffer(data, dtype="<u4") == vectors[name]).mean() > 0.1)
            sent += 1
    return (
        share_of(
            "rounds that give a sum", (done, rounds), context.thresholds[COMPLETED],
            note=f"Each client leaves with a chance of {told.drop:g}, at a drawn stage.",
        ),
        share_of(
            "clients whose own update the server can read", (seen, sent), context.thresholds[SEEN], "max",
            "A tenth of the numbers as they were.",
        ),
    )  # fmt: skip


def share_of(
    name: str, counted: tuple[int, int], floor: float, direction: Literal["min", "max"] = "min", note: str = ""
) -> Measure:
    """Return a share, ``counted`` hits of tries, judged by exact bounds."""
    count, n = counted
    low, high = (float(part) for part in clopper_pearson(count, n))
    return Measure(
        name=name, value=count / n if n else None, low=low, high=high, threshold=floor, direction=direction,
        unit="share", n=n, outcome=judge(low, high, floor, direction), note=note,
    )  # fmt: skip


def _canary(told: Federation, clients: Party, rounds: int, rng: np.random.Generator) -> Canary:
    """A server that sums in part must be caught, one that ends rounds must not be; too many leave at the last stage."""
    masked = replace(told, masking=True)
    bad = share_of("", _sound(masked, clients, rounds, rng, server=Partial, late=True), LEAST_SOUND).outcome
    good = share_of("", _sound(masked, clients, rounds, rng, late=True), LEAST_SOUND).outcome
    caught, alarm = bad is Outcome.FAIL, good is Outcome.FAIL
    return Canary(
        kind="a server that sums in part", planted=1, found=int(caught), clean=1, false_alarms=int(alarm),
        noticed=caught and not alarm, detail=f"{rounds} rounds with drawn drop-outs.",
    )  # fmt: skip


def _reason(bird: Canary, measures: tuple[Measure, ...], told: Federation) -> str:
    if not bird.noticed:
        return "A server that sums in part was not told from one that ends rounds, so nothing is concluded."
    completed, seen, sound = measures
    counted = [f"{round((one.value or 0) * one.n)} of {one.n}" for one in (sound, completed, seen)]
    return (
        f"{told.clients} clients: {counted[0]} rounds are exact or end, {counted[1]} give a sum at the declared rate "
        f"of drop-outs; of {seen.n} updates the server can read {round((seen.value or 0) * seen.n)}."
    )
