"""Model: an endpoint as something that answers rows; learns once how it is asked, then asks that way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fivefold.contract.codec import canonical
from fivefold.errors import SubjectError
from fivefold.subject.endpoint import layout as layouts
from fivefold.subject.endpoint import wire
from fivefold.subject.endpoint.layout import Layout
from fivefold.subject.endpoint.rest import Rest
from fivefold.subject.endpoint.wire import TroubleError
from fivefold.subject.outside import Learned, changed
from fivefold.subject.rows import cut

if TYPE_CHECKING:
    from fivefold.subject.endpoint.ahead import Ahead
    from fivefold.subject.endpoint.patience import Asking
    from fivefold.subject.endpoint.wire import About, Client, Question, Tensor
    from fivefold.subject.model import Method
    from fivefold.subject.rows import Rows

TOP = 4096
"""Most rows that one call carries, however many the endpoint would take."""

_HEAD = 4
_SIZES = (64, 512, TOP)
_STEPS = 8
_BODY = 8 << 20
_CELL = 24
_SMALL, _PER_ROW, _MOST = 1 << 20, 8192, 256 << 20
_READY = 3
_NEXT = (
    "endpoint.refused",
    "endpoint.failed",
    "endpoint.shape",
    "endpoint.rows",
    "endpoint.malformed",
    "endpoint.dropped",
)
"""What a server does that is asked in a way that it does not know."""


@dataclass
class EndpointModel:
    """An endpoint that is asked.

    Attributes:
        client: The connection.
        patience: Asks again where that may help.
        learned: How it is asked; None: not known yet.
    """

    client: Client
    patience: Asking
    learned: Learned | None = None

    def answers(self, frame: Rows) -> dict[Method, np.ndarray]:
        """Return everything that the endpoint answers to (n, d) rows.

        Raises:
            SubjectError: It gives no answer that can be used, or the budget is spent.
        """
        known = self.learned
        if known is None:
            raise SubjectError("model.unprobed", "the endpoint has not been probed.")
        layout = msgspec.msgpack.decode(known.how, type=Layout)
        step = known.max_rows or TOP
        parts = [self._part(layout, cut(frame, slice(at, at + step))) for at in range(0, len(frame), step)]
        if known.key and self.client.key != known.key:
            raise changed("the endpoint has another TLS key")
        return _methods(layout, parts)

    def begin(self, frame: Rows) -> Ahead | None:
        """Ask about few rows without waiting; :meth:`finish` must follow; None: nothing was asked.

        Raises:
            SubjectError: It could not be asked; the connection is closed.
        """
        known, client = self.learned, self.client
        if known is None or known.key or not isinstance(client, Rest) or len(frame) > (known.max_rows or TOP):
            return None
        return client.post(layouts.question(msgspec.msgpack.decode(known.how, type=Layout), frame))

    def finish(self, ahead: Ahead, frame: Rows) -> dict[Method, np.ndarray]:
        """Return what :meth:`answers` returns, waiting for what is still to come."""
        known, client = self.learned, self.client
        if known is None or not isinstance(client, Rest):
            raise SubjectError("model.unprobed", "the endpoint has not been probed.")
        layout = msgspec.msgpack.decode(known.how, type=Layout)
        return _methods(layout, [_outputs(layout, client.taken(ahead, _cap(len(frame))), len(frame))])

    def learn(self, frame: Rows) -> Learned:
        """Find out how the endpoint is asked.

        Args:
            frame: (n, d) rows.

        Raises:
            SubjectError: It cannot be asked.
        """
        self._require_ready()
        about = self._about()
        layout, head = self._seated(about, frame)
        layout = self._zipped(layout, head)
        rows, limited = self._rows(layout, frame, len(head))
        given: tuple[tuple[Method, str], ...] = (("predict", layout.answer), ("predict_proba", layout.scores))
        self.learned = Learned(
            how=msgspec.msgpack.encode(layout),
            methods=tuple(method for method, name in given if name),
            max_rows=rows,
            limited=limited,
            key=self.client.key,
            identity=hashlib.sha256(canonical(about)).hexdigest(),
            said=_told(layout, about),
        )
        return self.learned

    def _require_ready(self) -> None:
        def once() -> None:
            if not self.client.ready():
                raise TroubleError(
                    "not-ready",
                    "the model is not ready at its endpoint.",
                    again=True,
                    remedy="Wait until it is loaded.",
                )

        self.patience.ask(once)

    def _about(self) -> About:
        """Return what server and model say; a server that says nothing of itself is no fault."""
        about = self.patience.ask(self.client.model)
        try:
            server = self.patience.ask(self.client.server, tries=2)
        except TroubleError:
            return about
        return msgspec.structs.replace(about, extensions=server.extensions, server=server.server)

    def _seated(self, about: About, frame: Rows) -> tuple[Layout, Rows]:
        """Return the layout that is answered, and the rows that it was found with: one, if no call carries a few."""
        head = cut(frame, slice(_HEAD))
        try:
            return self._fitting(about, head), head
        except TroubleError as error:
            if not error.size or len(head) < 2:
                raise
            alone = cut(frame, slice(1))
            try:
                return self._fitting(about, alone), alone
            except TroubleError:
                raise error from None

    def _fitting(self, about: About, head: Rows) -> Layout:
        """Return the first layout that is answered, as bytes where the server says that it takes them."""
        first: TroubleError | None = None
        packed = any("binary_tensor" in name for name in about.extensions)
        for candidate in layouts.candidates(about, head):
            for binary in (True, False) if packed and not candidate.framed else (False,):
                layout = msgspec.structs.replace(candidate, binary=binary)
                try:
                    tensors = self._asked(layouts.question(layout, head), len(head), tries=3)
                    return self._named(layout, tensors, head, about)
                except TroubleError as error:
                    if error.code not in _NEXT:
                        raise
                    first = first or error
        raise first or TroubleError("inputs", "nothing tells how the endpoint takes rows.")

    def _named(self, layout: Layout, tensors: tuple[Tensor, ...], head: Rows, about: About) -> Layout:
        """Return the layout with the outputs that matter; a server that says nothing of scores is asked for them."""
        answer, scores = layouts.read(tensors, len(head))
        found = msgspec.structs.replace(
            layout, answer=answer.name if answer else "", scores=scores.name if scores else ""
        )
        if scores is not None or about.outputs or answer is None or answer.name != "predict":
            return found
        wider = msgspec.structs.replace(found, outputs=("predict", "predict_proba"))
        try:
            more = self._asked(layouts.question(wider, head), len(head), tries=1)
            _, scores = layouts.read(more, len(head))
        except TroubleError:
            return found
        return msgspec.structs.replace(wider, scores=scores.name) if scores is not None else found

    def _zipped(self, layout: Layout, head: Rows) -> Layout:
        """Return the layout with compressed requests if the endpoint unpacks them; gRPC needs none."""
        if not self.client.zips:
            return layout
        tried = msgspec.structs.replace(layout, zipped=True)
        try:
            self._part(tried, head, tries=1)
        except TroubleError:
            return layout
        return tried

    def _rows(self, layout: Layout, frame: Rows, low: int) -> tuple[int, bool]:
        """Return the most rows that one call may carry, and whether the endpoint sets that limit."""
        top = max(1, min(TOP, _BODY // (_CELL * max(1, frame.size // max(1, len(frame))))))
        high = 0 if low == min(_HEAD, len(frame)) else _HEAD
        for size in sorted({min(size, top) for size in _SIZES}):
            if size <= low or high:
                continue
            if not self._takes(layout, frame, size):
                high = size
                break
            low = size
        for _ in range(_STEPS):
            if high - low <= max(1, low // 8):
                break
            middle = (low + high) // 2
            low, high = (middle, high) if self._takes(layout, frame, middle) else (low, middle)
        return low, bool(high)

    def _takes(self, layout: Layout, frame: Rows, size: int) -> bool:
        rows = cut(frame, np.arange(size) % len(frame))
        try:
            self._part(layout, rows, tries=2)
        except TroubleError as error:
            if error.size or error.code in ("endpoint.timeout", "endpoint.dropped", "endpoint.shape"):
                return False
            raise
        return True

    def _part(self, layout: Layout, frame: Rows, tries: int = 0) -> dict[str, np.ndarray]:
        """Return the outputs that matter for rows that one call carries."""
        return _outputs(layout, self._asked(layouts.question(layout, frame), len(frame), tries), len(frame))

    def _asked(self, question: Question, rows: int, tries: int) -> tuple[Tensor, ...]:
        return self.patience.ask(lambda: self.client.infer(question, _cap(rows)), tries)


def _cap(rows: int) -> int:
    """Return how many bytes an answer about so many rows may have."""
    return min(_MOST, _SMALL + _PER_ROW * rows)


def _outputs(layout: Layout, given: tuple[Tensor, ...], rows: int) -> dict[str, np.ndarray]:
    """Return the outputs that matter for rows that one call carries."""
    tensors = {item.name: item for item in given}
    found: dict[str, np.ndarray] = {}
    for name in (layout.answer, layout.scores):
        if not name:
            continue
        if name not in tensors:
            raise wire.misshapen(name, "it did not come")
        values = layouts.flat(tensors[name]) if tensors[name].data.ndim else np.empty(0)
        if len(values) != rows:
            raise wire.misshapen(name, f"{len(values)} answers came for {rows} rows")
        found[name] = values
    return found


def _methods(layout: Layout, parts: list[dict[str, np.ndarray]]) -> dict[Method, np.ndarray]:
    names: dict[Method, str] = {"predict": layout.answer, "predict_proba": layout.scores}
    return {method: _joined([part[name] for part in parts]) for method, name in names.items() if name}


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    if len({part.shape[1:] for part in parts}) > 1:
        raise TroubleError("shape", "the endpoint's answers change their width from call to call.")
    return np.concatenate(parts) if parts else np.empty(0)


def _told(layout: Layout, about: About) -> str:
    forms = {"columns": "one tensor for each column", "matrix": "one tensor for all columns", "array": "one tensor"}
    how = forms[layout.form]
    packed = "bytes" if layout.binary else "JSON"
    return (
        f"{how}, as {packed}{', compressed' if layout.zipped else ''}; server {wire.clean(about.server) or 'unnamed'}"
    )
