"""Watching: streams of requests before the guard's own watch, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.purpose.asking import HOURLY
from fivefold.governance.purpose.declared import Declared

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.cases.purpose.asking import Stream

_HOUR = 3600.0
_BEGAN = 1_700_000_000.0


@dataclass(frozen=True)
class Seen:
    """What the watch made of a stream.

    Attributes:
        kind: Of the relabelling; empty: honest.
        alarm: Row at which it was raised; 0: it was not.
        since: Row from which on requests were relabelled.
        text: What was found.
    """

    kind: str
    alarm: int
    since: int
    text: str = ""

    @property
    def false(self) -> bool:
        """Whether an alarm was raised before anything was relabelled."""
        return 0 < self.alarm <= self.since

    @property
    def delay(self) -> int:
        """Relabelled rows by the alarm; 0: there was none, or it was false."""
        return 0 if self.false else max(self.alarm - self.since, 0)


def declared(rows: pd.DataFrame, rng: np.random.Generator) -> Declared:
    """Return what an application of these training rows declares."""
    return Declared(rows, {"rate": f"{HOURLY}/hour"}, rng)


def watched(aims: Declared, stream: Stream) -> Seen:
    """Put a stream before a watch that begins with it."""
    watch = aims.watch()
    blocks = aims.blocks(stream.rows)
    ends, looked = np.cumsum(stream.hourly), 0
    for hour, (count, end) in enumerate(zip(stream.hourly.tolist(), ends.tolist(), strict=True)):
        found = watch.arrive(count, _BEGAN + hour * _HOUR)
        while found is None and looked + aims.block <= end:
            found = watch.count(blocks[looked // aims.block], aims.block)
            looked += aims.block
            if found is not None:
                return Seen(stream.kind, looked, stream.since, f"{found.what}: {found.text}")
        if found is not None:
            return Seen(stream.kind, end, stream.since, f"{found.what}: {found.text}")
    return Seen(stream.kind, 0, stream.since)
