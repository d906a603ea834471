"""Growth: the record from 100,000 to ten million entries: append rate, the writer's memory, proofs, audit."""

from __future__ import annotations

import os
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rows import Row
from fivefold.keys import signing
from fivefold.log import audit, tiles
from fivefold.log.disk import Folder
from fivefold.store.people import People
from fivefold.traceability.recorder.nouns import Body
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 4096
_WINDOW = 40
"""Batches over which a rate is taken."""


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows; ``repeat`` is not used, for the largest run takes minutes."""
    del repeat
    sizes = (10_000, 40_000, 100_000) if gates else (100_000, 1_000_000, 10_000_000)
    with tempfile.TemporaryDirectory(dir=os.environ.get("FIVEFOLD_BENCH_DIR")) as folder:
        place, signer = Path(folder), signing.generate()
        secrets = Secrets(bytes(32), People(place / "keys.sqlite", "bench"))
        rates, grown = _grow(place / "record", signer, secrets, sizes)
        disk = Folder(place / "record")
        reading, rng = Reading(disk, secrets), random.Random(1)  # noqa: S311  which entries are proven
        paths = _median(lambda: tiles.inclusion(disk, rng.randrange(sizes[-1]), sizes[-1]), 2000)
        whole = _median(lambda: reading.prove(str(rng.randrange(sizes[-1]))), 200)
        start = time.process_time()
        found = audit.audit(disk, (signer.public,))
        audited = found.size / (time.process_time() - start)
    note = f"rates at {', '.join(f'{size:,}: {rate:,.0f}/s' for size, rate in zip(sizes, rates, strict=True))}"
    return [
        Row(f"append rate at {sizes[2]:,} against {sizes[1]:,}", rates[2], rates[1], 0.9, "min", "/s", note=note),
        Row(f"writer's memory, more at {sizes[2]:,} than at {sizes[0]:,}", grown, None, 64, "max", "MB"),
        Row("path of a proof, p50, warm", paths * 1e3, None, 0.5, "max", "ms"),
        Row("whole proof with its entry, p50, warm", whole * 1e3, None, 0.5, "max", "ms", required=False),
        Row("audit, records a second and core", audited, None, 300_000, "min", "/s", note=str(found.faults or "")),
    ], ""


def _grow(place: Path, signer: signing.Signer, secrets: Secrets, sizes: tuple[int, ...]) -> tuple[list[float], float]:
    """Return the append rate as each size is reached, and how much memory grew from the first to the last, in MB."""
    rates, memory, size = [], [], 0
    texts = [f"{number:0200d}" for number in range(_BATCH)]
    with Recorder(Folder(place), "bench", signer, secrets) as recorder:
        for goal in sizes:
            taken: list[float] = []
            while size < goal:
                start = time.perf_counter()
                count = min(_BATCH, goal - size)
                made = [("decision", Body(case="c", person="one", fields={"text": text})) for text in texts[:count]]
                recorder.submit_all(made)[1].wait()
                size += count
                if count == _BATCH:
                    taken.append(time.perf_counter() - start)
            rates.append(_BATCH / statistics.median(taken[-_WINDOW:]))
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return rates, memory[-1] - memory[0]


def _median(work: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)
