"""Verifying: the whole course of an appeal, from the log alone: every record in it proven, every step in its place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.governance.appeals import course
from fivefold.governance.appeals.examining import proven
from fivefold.governance.appeals.nouns import Appeal
from fivefold.log import tlog_proof, tree

if TYPE_CHECKING:
    from fivefold.keys.signing import PublicKey

ALTERED = "the receipt is of another record"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What the log proves of an appeal.

    Attributes:
        appeal: As its records tell it.
        faults: What is wrong; empty: nothing.
        proven: Records that stand in the log under a checkpoint by a trusted key: the decision and every step.
        size: Of the log at that checkpoint.
        key: Id of the key that signed it.
    """

    appeal: Appeal
    faults: tuple[str, ...]
    proven: tuple[str, ...]
    size: int
    key: str


def verified(
    reading: Any, appeal: Appeal, keys: tuple[PublicKey, ...], *, days: int = 0, now: int | None = None
) -> Verified:
    """Prove each record of an appeal in the log, and judge its course; no network and no model is asked.

    Args:
        reading: The record.
        appeal: Which.
        keys: Those that may sign the log.
        days: Most days that may be given; 0: as many as the appeal was given.
        now: Nanoseconds since 1970; None: by the clock.

    Raises:
        InputError: ``recorder.unknown``, ``recorder.uncovered``.
        TrustError: A record does not stand in the log as it is, or no trusted key signed it.
    """
    names, size, signer = (appeal.decision, *appeal.records), 0, ""
    odd: tuple[str, ...] = ()
    for name in names:
        proof = tlog_proof.read(proven(reading, name))
        point, key = tlog_proof.verify(proof, proof.extra, keys)
        size, signer = point.size, key.id
        if name == appeal.decision and appeal.leaf and tree.leaf_hash(proof.extra).hex() != appeal.leaf:
            odd = (ALTERED,)
    found = course.faults(appeal, time.time_ns() if now is None else now, days)
    return Verified(appeal=appeal, faults=odd + found, proven=names, size=size, key=signer)
