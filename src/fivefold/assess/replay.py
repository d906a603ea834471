"""Replay: the application's model, as it is now, asked again what was asked before, in the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fivefold.assess import operating
from fivefold.errors import SubjectError
from fivefold.manifest.digests import data_digests
from fivefold.subject.batch import pack
from fivefold.subject.bench import Bench
from fivefold.subject.replies import Reply
from fivefold.subject.worker.messages import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fivefold.contract.plan import Facts
    from fivefold.manifest.nouns import Manifest
    from fivefold.subject.rows import Rows

_BYTES = 64 << 20


@dataclass(frozen=True)
class Again:
    """What the model answers now.

    Attributes:
        model: Digest of the model's signed set.
        replies: One for each batch.
    """

    model: str
    replies: tuple[Reply, ...]


def ask(manifest: Manifest, asked: Iterable[Rows], tell: Callable[[str, float, str], None] | None = None) -> Again:
    """Ask the model.

    Args:
        manifest: The application.
        asked: Batches, each as it was handed over.
        tell: Told check (empty), share and words.

    Raises:
        InputError: ``batch.type`` for values that no model is given; the data or the endpoint cannot be used.
        SubjectError: The model cannot be asked at all.
    """
    with operating.operation(manifest, "replay") as operation:
        digests = data_digests(manifest)
        operation.digests |= digests
        with Bench(manifest, digests) as bench:
            operation.digests["model"] = bench.snapshot.digest
            facts, _ = bench.probe()
            if facts.model is None or facts.model.error:
                raise SubjectError("replay.model", facts.model.error if facts.model else "no model is declared.")
            replies: list[Reply] = []
            for part in _parts(asked):
                replies += _asked(bench, facts, part, tell)
            return Again(bench.snapshot.digest, tuple(replies))


def _asked(bench: Bench, facts: Facts, part: bytes, tell: Callable[[str, float, str], None] | None) -> list[Reply]:
    (ended,) = bench.worker.run([bench.asking(part, facts)], width=1, tell=tell)
    outcome = ended.outcome
    if isinstance(outcome, Failed):
        raise SubjectError(outcome.code, ended.reason or outcome.message, remedy=outcome.remedy)
    try:
        return msgspec.msgpack.decode(outcome.body, type=list[Reply])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SubjectError("replay.model", "the model's answers cannot be read.") from None


def _parts(asked: Iterable[Rows]) -> Iterator[bytes]:
    """Yield message packs of batches, each of them at most about 64 MiB."""
    waiting: list[msgspec.Raw] = []
    size = 0
    for rows in asked:
        batch = msgspec.msgpack.encode(pack(rows))
        if waiting and size + len(batch) > _BYTES:
            yield msgspec.msgpack.encode(waiting)
            waiting, size = [], 0
        waiting.append(msgspec.Raw(batch))
        size += len(batch)
    if waiting:
        yield msgspec.msgpack.encode(waiting)
