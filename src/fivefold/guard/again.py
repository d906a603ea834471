"""Again: the application's model of now, asked once more what it was asked before, outside the chain (for appeals)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from fivefold.errors import SubjectError
from fivefold.guard.isolated import SECONDS, Isolated
from fivefold.guard.manner import Manner
from fivefold.guard.nouns import OPERATOR, Passage, Principal
from fivefold.guard.reasoning import Reasoning
from fivefold.guard.upstream import Upstream
from fivefold.manifest.digests import data_digests
from fivefold.subject.bench import Bench

if TYPE_CHECKING:
    import numpy as np

    from fivefold.guard.nouns import Answering
    from fivefold.manifest.nouns import Manifest
    from fivefold.subject.rows import Rows

_REASON_SECONDS = 30.0


class Again:
    """The model, in a process of its own or behind its endpoint; a context manager.

    Nothing of it goes on record here, and no stage of the guard sees it: what was let in once is asked once more.

    Attributes:
        model: Digest of its signed set; of an endpoint what it was observed to be.
        answers: Labels that it may give; empty: numbers.
    """

    def __init__(self, manifest: Manifest) -> None:
        """Start it.

        Raises:
            InputError: The data or the endpoint cannot be used.
            SubjectError: It cannot be asked.
        """
        with contextlib.ExitStack() as stack:
            bench = stack.enter_context(Bench(manifest, data_digests(manifest)))
            facts, _ = bench.probe()
            if facts.model is None or facts.model.error:
                raise SubjectError("replay.model", facts.model.error if facts.model else "no model is declared.")
            self.model = bench.snapshot.digest if bench.elsewhere is None else facts.model.observed
            made: Answering = (
                Isolated(bench, facts, seconds=SECONDS) if bench.elsewhere is None
                else Upstream(bench, facts, seconds=SECONDS)
            )  # fmt: skip
            stack.callback(made.close)
            if isinstance(made, Isolated):
                made.manner = Manner()  # the guard may have recorded all methods: which it spares hangs on its speed
            self._isolated, self._manifest = made, manifest
            self.answers: tuple[str, ...] = tuple(made.way.access.classes)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self, rows: Rows) -> dict[str, np.ndarray]:
        """Return method to what the model gives, bit for bit.

        Raises:
            SubjectError: It gives no answer that can be used.
        """
        return dict(self._isolated.ask(rows).raw)

    def answer(self, rows: Rows) -> list[str]:
        """Return the answer for each row, in words.

        Raises:
            SubjectError: As :meth:`ask`.
        """
        found = self._isolated.ask(rows).answers.tolist()
        return [self.answers[int(one)] if self.answers else repr(float(one)) for one in found]

    def reason(self, rows: Any) -> str:
        """Return the reason for one row in plain words; empty: none can be given.

        Raises:
            SubjectError: As :meth:`ask`.
        """
        passage = Passage(Principal("appeal", OPERATOR), "", rows, admitted=rows)
        Reasoning(self._isolated, self._manifest, seconds=_REASON_SECONDS)(passage)
        return passage.reasons[0].text if passage.reasons else ""
