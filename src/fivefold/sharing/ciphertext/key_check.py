"""Check S4.key: whether the key, rows or answers are anywhere in what the server is sent, sends, or holds in memory."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError, UnsupportedError
from fivefold.sharing.ciphertext import engine, found
from fivefold.sharing.ciphertext.apart import PLAIN, Elsewhere, Setup, forked
from fivefold.sharing.ciphertext.client import Owner
from fivefold.sharing.ciphertext.declared import declared, served
from fivefold.sharing.ciphertext.found import Needles
from fivefold.sharing.ciphertext.scorer import write
from fivefold.stats.judge import judge

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table
    from fivefold.sharing.ciphertext.scorer import Scorer

LEAKS = "max_leaks"
_PAIRS = 32
_TRAFFIC = "bytes"
_REMEDY = "Send ciphertexts and a context without the secret key; `fivefold model score --encrypted` does."


@dataclass(frozen=True)
class Seen:
    """What a search found.

    Attributes:
        places: Place to kind to how many pieces were found there.
        pieces: How many were looked for.
    """

    places: dict[str, dict[str, int]]
    pieces: int

    @property
    def total(self) -> int:
        """Pieces found, over all places."""
        return sum(sum(kinds.values()) for kinds in self.places.values())


def run(context: Context) -> Result:
    """Judge S4.key.

    Threat: the key, or rows in the clear, are sent along by a careless client and stand open at the server.
    Limit: what is looked for is pieces of 16 bytes and more, as they are; a server that hides them is not found out.

    Raises:
        UnsupportedError: ``ciphertext.undeclared``, ``ciphertext.declared``, ``ciphertext.data``,
            ``ciphertext.engine``, ``ciphertext.apart`` where no process can be started, ``ciphertext.traffic``.
        SubjectError: ``ciphertext.apart`` if the server's process ends.
    """
    told = declared(context)
    engine.library()
    scorer, start, floor = served(told, context), starting(context), context.thresholds[LEAKS]
    seen = (
        _foreign(context, told.traffic, scorer) if told.traffic
        else played(scorer, start, told.error, careless=False)
    )  # fmt: skip
    whole = leaks_of(seen, floor)
    context.progress(0.6, "a server that is given the key")
    good = played(scorer, start, told.error, careless=False) if told.traffic else seen
    bad = played(scorer, start, told.error, careless=True)
    bird = _canary(bad, good, floor)
    outcome = whole.outcome or Outcome.INCONCLUSIVE
    where = "; ".join(
        f"{place}: {', '.join(f'{count} of {kind}' for kind, count in kinds.items())}"
        for place, kinds in seen.places.items() if kinds
    )  # fmt: skip
    return Result(
        outcome=outcome if bird.noticed else Outcome.INCONCLUSIVE,
        reason=(
            f"Of {seen.pieces} pieces of key, rows and answers {seen.total} were found in "
            f"{' and '.join(seen.places)}.{' Found: ' + where + '.' if where else ''}"
            if bird.noticed
            else "A key that was given to the server was not found there, so nothing is concluded."
        ),
        measures=(whole,),
        canary=bird,
        limits=("Pieces of 16 bytes and more, as they are; what is hidden on purpose is not found.",),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def starting(context: Context) -> Callable[[], socket.socket]:
    """Return what starts a server in a process of its own: the driver's way, or a fork where that is allowed."""
    if context.apart is not None:
        return partial(context.apart, "ciphertext.apart")

    def fork() -> socket.socket:
        try:
            return forked()
        except OSError:
            raise UnsupportedError(
                "ciphertext.apart", "no process can be started here for the server.", remedy="Run `fivefold assess`."
            ) from None

    return fork


def leaks_of(seen: Seen, floor: float) -> Measure:
    """Return how many pieces were found, judged."""
    count = float(seen.total)
    return Measure(
        name="pieces of key, rows and answers found at the server", value=count, low=count, high=count,
        threshold=floor, direction="max", n=seen.pieces, outcome=judge(count, count, floor, "max"),
        note=f"In {' and '.join(seen.places)}.",
    )  # fmt: skip


def played(scorer: Scorer, start: Callable[[], socket.socket], error: float, *, careless: bool) -> Seen:
    """Have rows scored by a server in a process of its own, then search its memory and the traffic.

    Rows are drawn after the process was started, and afresh, so that it cannot have them from before; no figure hangs
    on their values.

    Args:
        scorer: What is asked.
        start: Starts the process.
        error: Most that a score may be off.
        careless: Plant the fault: the secret key and rows in the clear are sent along.
    """
    with Elsewhere(start, Setup(scorer=write(scorer), error=error, careless=careless)) as server:
        owner = Owner(server.post, error)
        x = np.random.default_rng(secrets.randbits(128)).uniform(-1, 1, (2 * _PAIRS, scorer.width))
        scores, key = owner.scores_exact(x), owner.secret()
        pieces: list[tuple[str, bytes]] = [*found.of_key(key)]
        pieces += [piece for at in range(x.shape[1]) for piece in found.of_numbers("rows", x[:, at])]
        pieces += [piece for row in x[:_PAIRS] for piece in found.of_numbers("rows", row)]
        pieces += found.of_numbers("answers", scores)
        needles = Needles(pieces)
        if careless:
            server.post("/v1/context", key)
            server.post(PLAIN, np.asfortranarray(x).T.tobytes())
        return _searched(needles, {"traffic": iter(server.traffic), "memory": server.memory()})


def _searched(needles: Needles, places: dict[str, Iterator[bytes]]) -> Seen:
    told = {}
    for place, blocks in places.items():
        hits: set[int] = set()
        for block in blocks:
            hits |= needles.search(block)
        told[place] = needles.kinds(hits)
    return Seen(told, len(needles))


def _foreign(context: Context, name: str, scorer: Scorer) -> Seen:
    """Search what another system's server was sent: for keys that open, and for the application's own rows.

    Raises:
        UnsupportedError: ``ciphertext.traffic``.
    """
    try:
        cells = context.tables(name).column(_TRAFFIC)
        bodies = [base64.b64decode(str(cell), validate=True) for cell in cells.dropna()]
    except (KeyError, binascii.Error):
        raise UnsupportedError(
            "ciphertext.traffic", f"data.{name} has no column {_TRAFFIC!r} of base64.",
            remedy="Write one line for each message that the server was sent, its body as base64.",
        ) from None  # fmt: skip
    needles = Needles(_own(context, scorer, but=name))
    seen = _searched(needles, {"traffic": iter(bodies)})
    keys = sum(map(_opens, bodies))
    kinds = {**seen.places["traffic"], **({"secret key": keys} if keys else {})}
    return Seen({"traffic": kinds}, seen.pieces + len(bodies))


def _opens(body: bytes) -> bool:
    try:
        engine.open_context(body, None)
    except InputError as error:
        return error.code == "ciphertext.key"
    return False


def _own(context: Context, scorer: Scorer, but: str) -> Iterator[tuple[str, bytes]]:
    """Yield pieces of the application's rows: numbers as they are, as they are encoded, and lines of text."""
    from fivefold.sharing.ciphertext.scorer import encoded

    for name in ("train", "test", "calibration"):
        if name == but:
            continue
        try:
            table: Table = context.tables(name)
        except KeyError:
            continue
        frame = table.features.iloc[: 4 * _PAIRS]
        for column in frame.columns:
            if frame[column].dtype.kind in "iuf":
                yield from found.of_numbers("rows", frame[column].to_numpy(dtype=np.float64, na_value=np.nan))
        for line in frame.to_csv(index=False, header=False).splitlines():
            yield "rows", line.encode()
        if set(scorer.columns) <= set(frame.columns):
            x = encoded(scorer.columns, frame)
            for at in range(x.shape[1]):
                yield from found.of_numbers("rows", x[:, at])
            for row in x[:_PAIRS]:
                yield from found.of_numbers("rows", row)


def _canary(bad: Seen, good: Seen, floor: float) -> Canary:
    """A server that is given the key and rows in the clear must be found out in both places; an honest one must not."""
    hits = sum(kind in bad.places[place] for place in bad.places for kind in ("secret key", "rows"))
    alarm = leaks_of(good, floor).outcome is Outcome.FAIL
    return Canary(
        kind="a server that is given the key and rows in the clear, and one that is not", planted=4, found=hits,
        clean=1, false_alarms=int(alarm), noticed=hits == 4 and not alarm,
        detail="Key and rows, each in the traffic and in the server's memory.",
    )  # fmt: skip
