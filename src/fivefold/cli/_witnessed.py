"""What witnesses say of a record, gathered for ``record fsck`` and ``verify``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.keys.trust import Trust
    from fivefold.log.audit import Fault
    from fivefold.log.cosignature import Cosignature


def told(found: Cosignature, trust: Trust) -> dict[str, Any]:
    """Return a cosignature for people: the trusted name of its key, and when."""
    known = trust.find(found.key.id)
    return {"name": known.name if known else found.name, "key": found.key.id, "at": _stamp(found.time)}


@dataclass(frozen=True)
class Words:
    """What witnesses vouch for.

    Attributes:
        checkpoints: Cosigned checkpoints, to be held against the log.
        faults: Words that do not hold.
        lines: For people.
        said: For machines.
        asked: Whether a witness itself was asked, and it answered with a cosigned checkpoint.
    """

    checkpoints: tuple[bytes, ...]
    faults: tuple[Fault, ...]
    lines: tuple[str, ...]
    said: tuple[dict[str, Any], ...]
    asked: bool

    @classmethod
    def of(cls, place: Path, application: str, url: str, trust: Trust) -> Words:
        """Read the cosigned checkpoint beside the record, and ask the witness at ``url`` unless it is empty.

        Raises:
            InputError: ``witness.url``, ``witness.unreachable``, ``witness.refused``.
        """
        from fivefold.contract.registry import provided
        from fivefold.log.book import MAX_CHECKPOINT
        from fivefold.log.cosigning import COSIGNED
        from fivefold.log.disk import Folder

        own = Folder(place).read(COSIGNED, 0, MAX_CHECKPOINT)
        return cls.gathered(own, provided("record.origin")(application), url, trust)

    @classmethod
    def gathered(cls, own: bytes, origin: str, url: str, trust: Trust) -> Words:
        """Read a cosigned checkpoint of the log ``origin``, unless it is empty, and ask the witness at ``url``.

        Raises:
            InputError: As :meth:`of`.
        """
        from fivefold.contract.registry import provided
        from fivefold.errors import TrustError
        from fivefold.keys import store
        from fivefold.keys import trust as trust_file
        from fivefold.log import checkpoint, cosignature
        from fivefold.log.audit import Fault

        keys = trust_file.holders(trust, "witness", store.utc_now())
        points: list[bytes] = []
        faults: list[Fault] = []
        said: list[dict[str, Any]] = []
        asked = provided("record.witness.newest")(url, origin) if url else None
        for data, who in ((own, "the record"), (asked, "the witness")):
            if not data:
                continue
            points.append(data)
            try:
                found = cosignature.verify(data, keys, int(time.time()))
                size = checkpoint.parse(data).size
            except TrustError as error:
                faults.append(Fault(error.code, error.message))
                continue
            said += [{"from": who, "size": size, **told(one, trust)} for one in found]
            if not found:
                text = f"no witness that you trust signed the checkpoint that {who} gave."
                faults.append(Fault("witness.unknown", text))
        if url and not asked:
            faults.append(Fault("witness.nothing", "the witness has cosigned nothing of this record."))
        lines = [
            f"{one['name']} vouches for {one['size']:,} of them as of {one['at']}, told by {one['from']}."
            for one in said
        ]
        return cls(tuple(points), tuple(faults), tuple(lines), tuple(said), bool(asked))


def _stamp(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "no time"
