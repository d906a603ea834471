"""Check S3.server: whether a server that lies is noticed by the clients before anything is given away."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.sharing.federated.aggregation import share_of, vectors_of
from fivefold.sharing.federated.client import Client
from fivefold.sharing.federated.declared import declared
from fivefold.sharing.federated.lies import LIES
from fivefold.sharing.federated.messages import Shares
from fivefold.sharing.federated.play import Post, party, play
from fivefold.sharing.federated.terms import RoundError

if TYPE_CHECKING:
    import numpy as np

    from fivefold.contract.check import Context
    from fivefold.sharing.federated.declared import Federation
    from fivefold.sharing.federated.messages import Advert, Request
    from fivefold.sharing.federated.play import Party

NOTICED = "min_noticed"
_SIZE = 64
_REMEDY = "Leave `masking` on: clients check the directory, the terms and what they are asked for."


class Credulous(Client):
    """The planted fault: a client that believes the directory and answers whatever it is asked."""

    def _check(self, advert: Advert) -> None:
        """Check nothing."""

    def _unmask(self, request: Request) -> Shares:
        held = self._held
        return Shares(
            name=self.name, seeds={name: held[name][0] for name in request.alive if name in held},
            keys={name: held[name][1] for name in request.dropped if name in held},
        )  # fmt: skip


def run(context: Context) -> Result:
    """Judge S3.server.

    Threat: a server that gives clients other keys, other models or other requests, to read single updates.
    Limit: one lie at a time; a server together with half of a client's neighbours reads that client.

    Raises:
        UnsupportedError: ``federated.undeclared``, ``federated.declared``, ``federated.robust-masked``.
    """
    told = declared(context)
    clients = party(list(told.terms(_SIZE, "names").clients), context.rng.bytes)
    each = max(4, context.rows // len(LIES))
    counts = {lie: _noticed(told, clients, lie, each, context.rng) for lie in LIES}
    context.progress(0.7, "clients that check nothing")
    whole = share_of(
        "lies of the server that end the round", (sum(counts.values()), each * len(LIES)), context.thresholds[NOTICED],
        note="One lie a round, to one drawn client about another one.",
    )  # fmt: skip
    parts = tuple(
        Measure(name="lies that end the round", value=count / each, n=each, unit="share", where=lie)
        for lie, count in counts.items()
    )
    bird = _canary(told, clients, each, context)
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    missed = [lie for lie, count in counts.items() if count < each]
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=_reason(bird, whole, missed),
        measures=(whole, *parts),
        canary=bird,
        limits=("A server together with half of a client's neighbours can read that client's update.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _noticed(
    told: Federation, clients: Party, lie: str, tries: int, rng: np.random.Generator, *, client: type[Client] = Client
) -> int:
    """Return in how many rounds a lie was noticed; without masking nobody looks."""
    if not told.masking:
        return 0
    found, names = 0, sorted(clients.signers)
    for number in range(tries):
        terms = told.terms(_SIZE, f"{lie} {number} {rng.integers(1 << 62)}")
        victim, about = _drawn(names, rng)
        try:
            play(terms, clients, vectors_of(names, rng), post=LIES[lie](victim, about), client=client)
        except RoundError:
            found += 1
    return found


def _drawn(names: list[str], rng: np.random.Generator) -> tuple[str, str]:
    first, second = rng.choice(names, 2, replace=False).tolist()
    return str(first), str(second)


def _canary(told: Federation, clients: Party, tries: int, context: Context) -> Canary:
    """Clients that check nothing must be found out; an honest server must end no round."""
    masked, rng = replace(told, masking=True), context.rng
    hits = sum(_noticed(masked, clients, lie, tries, rng, client=Credulous) for lie in LIES)
    bad = share_of("", (hits, tries * len(LIES)), context.thresholds[NOTICED]).outcome is Outcome.FAIL
    alarms, rounds = 0, 10
    for number in range(rounds):
        try:
            play(
                masked.terms(_SIZE, f"honest {number} {rng.integers(1 << 62)}"), clients,
                vectors_of(clients.signers, rng), post=Post(),
            )  # fmt: skip
        except RoundError:
            alarms += 1
    return Canary(
        kind="clients that check nothing, and a server that does not lie", planted=1, found=int(bad), clean=rounds,
        false_alarms=alarms, noticed=bad and not alarms, detail=f"{tries * len(LIES)} lies, {rounds} honest rounds.",
    )  # fmt: skip


def _reason(bird: Canary, whole: Measure, missed: list[str]) -> str:
    if not bird.noticed:
        return "Clients that check nothing were not told from such that do, so nothing is concluded."
    text = f"{round((whole.value or 0) * whole.n)} of {whole.n} lies of the server end the round."
    return text + (f" Not noticed: {', '.join(missed[:4])}." if missed else "")
