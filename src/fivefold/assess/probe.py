"""Probe: the facts about an application's data and model, read in the worker and cached by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.assess import facts_cache, operating
from fivefold.manifest.digests import data_digests
from fivefold.subject.bench import Bench

if TYPE_CHECKING:
    from fivefold.contract.plan import Facts
    from fivefold.manifest.nouns import Manifest


def probe(manifest: Manifest) -> Facts:
    """Read the facts now, whatever the cache holds, and keep them.

    Raises:
        InputError: The data cannot be used as declared.
        TrustError: The model's files cannot be copied.
        InternalError: The worker does not start, or the probe came to nothing.
    """
    with operating.operation(manifest, "probe") as operation:
        digests = data_digests(manifest)
        operation.digests |= digests
        with Bench(manifest, digests) as bench:
            facts, _ = bench.probe()
            operation.digests["model"] = bench.snapshot.digest
            facts_cache.store(manifest, digests, bench.snapshot.digest, facts)
        return facts
