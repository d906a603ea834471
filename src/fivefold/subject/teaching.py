"""Teaching: a training that a pack provides, run in a process of its own on what the application's function makes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from fivefold.contract.codec import MAX_FRAME
from fivefold.errors import InputError, SubjectError
from fivefold.subject.worker import frames, lesson
from fivefold.subject.worker.messages import Broken
from fivefold.subject.worker.watch import Limits

if TYPE_CHECKING:
    from fivefold.subject.bench import Bench

_WAIT = 0.2


T = TypeVar("T")


def teach(
    bench: Bench,
    task: tuple[str, str, bytes],
    kind: type[T],
    *,
    seconds: int,
    memory_mb: int,
    remedies: tuple[str, str],
) -> T:
    """Have a process train, within limits, and return what it says.

    Args:
        bench: Lends the process.
        task: ``module:function`` of the application, which makes what is trained; the name under which a pack provides
            the training; what is taught, as that reads it.
        kind: What it says, as message pack.
        seconds: Most it may take.
        memory_mb: Most it may hold.
        remedies: What to do about too many rows, and about a limit that was met.

    Raises:
        InputError: ``model.rows`` if the body is too large for one message.
        SubjectError: ``model.limit``, ``model.ended``, ``frame.malformed``, or what the process says.
    """
    target, way, body = task
    if len(body) > MAX_FRAME - frames.SMALL:
        raise InputError("model.rows", "the training rows are too many to hand over.", remedy=remedies[0])
    bench.worker.preload((), ("torch", "safetensors"))
    lent = bench.lesson(target, way)
    limits, reader = Limits(float(seconds), memory_mb << 20), frames.Reader(MAX_FRAME)
    began, answer = time.monotonic(), None
    try:
        frames.send(lent.peer, lesson.Lesson(body=body))
        while answer is None:
            bench.worker.tend(lent, limits)
            if lent.child.why or time.monotonic() - began > seconds:
                raise SubjectError(
                    "model.limit", f"the training {lent.child.why or 'took too long'}.", remedy=remedies[1]
                )
            if not (whole := reader.feed(frames.some(lent.peer))):
                time.sleep(_WAIT)
            answer = frames.parse(whole[0], lesson.Taught) if whole else None
    except frames.ClosedError:
        raise SubjectError("model.ended", "the training's process ended by itself.",
                           remedy="See whether torch is installed and memory is enough.") from None  # fmt: skip
    finally:
        bench.worker.take_back(lent)
    if isinstance(answer, Broken):
        raise SubjectError(answer.code, answer.message, remedy=answer.remedy)
    found: T = frames.parse(answer.body, kind)
    return found
