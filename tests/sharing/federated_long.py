"""Every pattern of drop-outs: ten clients, four stages, at most four who leave: 62,201 rounds, each exact.

``python -m tests.sharing.federated_long [worker workers]`` runs a part and prints how many were exact.
"""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import numpy as np

from fivefold.sharing.federated.play import party, play
from fivefold.sharing.federated.terms import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [f"client-{at}" for at in range(10)]
MOST = 4


def patterns() -> Iterator[dict[str, int]]:
    """Return who leaves before which stage, every way."""
    for count in range(MOST + 1):
        for who in itertools.combinations(NAMES, count):
            for stages in itertools.product(range(1, 5), repeat=count):
                yield dict(zip(who, stages, strict=True))


def exact(pattern: dict[str, int], number: int, size: int = 32) -> bool:
    """Return whether a round gives the very sum of those who sent a vector."""
    rng = np.random.default_rng(number)
    vectors = {name: rng.integers(0, 1 << 32, size, dtype=np.uint32) for name in NAMES}
    found = play(agreed(NAMES, size, round=f"round {number}"), _CLIENTS, vectors, leaves=pattern)
    included = [name for name in NAMES if pattern.get(name, 5) > 3]
    wanted = np.add.reduce([vectors[name] for name in included], dtype=np.uint32)
    return list(found.included) == included and bool((found.total == wanted).all())


_CLIENTS = party(NAMES)


def main(worker: int, workers: int) -> None:
    """Run each ``workers``-th pattern from ``worker`` on."""
    done = good = 0
    for number, pattern in enumerate(patterns()):
        if number % workers == worker:
            done, good = done + 1, good + exact(pattern, number)
            if done % 500 == 0:
                print(f"{good} of {done} exact", flush=True)  # noqa: T201
    print(f"{good} of {done} exact; end", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*(int(one) for one in (sys.argv[1:3] if len(sys.argv) > 2 else "01")))
