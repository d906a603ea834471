"""Flower, server: a strategy of Flower's, trained over masked rounds.

``Masked(FedAvg(), "federation.toml").start(grid=grid, initial_arrays=arrays, num_rounds=3)``, in place of
``FedAvg().start(...)``. The strategy chooses nodes and gets one reply for all of them (for each cohort), whose model is
the mean. A round that ends gives it no reply, and the model stays as it was.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from logging import INFO, WARNING
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.supercore import log

from fivefold.errors import InputError
from fivefold.sharing.federated import agreement, distributed, quantise
from fivefold.sharing.federated.flower_client import (
    ADVERTISE,
    EXAMPLES,
    HELLO,
    MASK,
    RECORD,
    SHARE,
    UNMASK,
    digest,
    model_of,
)
from fivefold.sharing.federated.messages import Advert, Box, Shares, pack, unpack
from fivefold.sharing.federated.messages import Masked as Sent
from fivefold.sharing.federated.server import Server
from fivefold.sharing.federated.terms import RoundError, Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fivefold.sharing.federated.agreement import Agreement

SINGLE = ("Krum", "MultiKrum", "Bulyan", "FedMedian", "FedTrimmedAvg")
"""Strategies of Flower's that compare single updates; they work on cohorts."""
UNFIT = ("FedXgbBagging", "FedXgbCyclic", "QFedAvg", "DifferentialPrivacy")
"""Strategies that need each client's own reply, whatever it is."""
Kind = TypeVar("Kind", Advert, Sent, Shares)


class Masked:
    """A strategy over masked rounds.

    Attributes:
        rounds: What became of each round: names of those in it, or the code with which it ended.
    """

    def __init__(self, strategy: Any, federation: str | Path | Agreement, *, wait: float = 120.0) -> None:
        """Take a strategy.

        Args:
            strategy: Of Flower's; one that compares single updates needs an agreement with cohorts.
            federation: The agreement, or its file.
            wait: Seconds for each stage but training.

        Raises:
            InputError: ``federated.agreement``; ``federated.robust-masked`` for a strategy that masks make useless.
        """
        if not isinstance(federation, agreement.Agreement):
            federation = agreement.read(Path(federation))
        self.agreed = federation
        names = [kind.__name__ for kind in type(strategy).__mro__]
        unfit = [name for name in names if name.startswith(UNFIT) or (name in SINGLE and not self.agreed.cohorts)]
        if unfit:
            raise InputError(
                "federated.robust-masked", f"{unfit[0]} looks at single updates, and masking hides them.",
                remedy="Agree on `cohorts` (for a median, a trimmed mean or Krum), or take FedAvg, FedAdam, FedYogi.",
            )  # fmt: skip
        self.strategy, self._wait = strategy, wait
        self.rounds: list[tuple[str, ...] | str] = []

    def start(self, grid: Any, initial_arrays: Any, **more: Any) -> Any:
        """Train; takes and returns what the strategy's own ``start`` does.

        Raises:
            RoundError: ``federated.ended`` if no round gave a sum.
        """
        masked = MaskedGrid(grid, self.agreed, self._wait, self.rounds)
        found = self.strategy.start(grid=masked, initial_arrays=initial_arrays, **more)
        if self.rounds and not any(isinstance(one, tuple) for one in self.rounds):
            raise RoundError(
                "federated.ended", f"none of {len(self.rounds)} rounds gave a sum; the last: {self.rounds[-1]}.",
                remedy="Read the log: each client that refused says why.",
            )  # fmt: skip
        return found


@dataclass
class _Round:
    """One sum: a cohort's, or that of all.

    Attributes:
        terms: Of it.
        server: The state machine.
        nodes: Name to node.
    """

    terms: Terms
    server: Server
    nodes: dict[str, int]
    boxes: dict[str, list[Box]] = field(default_factory=dict)


class MaskedGrid:
    """Flower's grid, but for messages to train: these go through the four stages, and their mean comes back."""

    def __init__(self, grid: Any, agreed: Agreement, wait: float, told: list[tuple[str, ...] | str]) -> None:
        self._grid, self._agreed, self._wait, self._told = grid, agreed, wait, told
        self._roster, self._names, self._count = agreed.roster(), dict[int, str](), 0

    def __getattr__(self, name: str) -> Any:
        """Hand on whatever is not ours."""
        return getattr(self._grid, name)

    def send_and_receive(self, messages: Iterable[Any], *, timeout: float | None = None) -> list[Any]:
        """Send messages and return replies; those to train as one reply for each sum."""
        listed = list(messages)
        if not listed or listed[0].metadata.message_type.partition(".")[0] != "train":
            return list(self._grid.send_and_receive(listed, timeout=timeout))
        try:
            return self._train(listed, timeout)
        except RoundError as error:
            log(WARNING, "Masked round ended: %s: %s", error.code, error.message)
            self._told.append(error.code)
            return []

    def _train(self, messages: list[Any], timeout: float | None) -> list[Any]:
        by_node = {message.metadata.dst_node_id: message for message in messages}
        if len({digest(message.content) for message in messages}) > 1:
            raise InputError("federated.arrays", "the strategy sends unlike models; masks need one.",
                             remedy="Take a strategy that sends all clients the same model.")  # fmt: skip
        kind = messages[0].metadata.message_type
        self._greet(list(by_node), kind)
        nodes = {self._names[node]: node for node in by_node if node in self._names}
        self._count += 1
        found, ended = [], None
        rounds = self._dealt(nodes, messages[0])
        self._advertise(rounds, kind)
        self._share(rounds, kind)
        self._mask(rounds, by_node, timeout)
        for one in rounds:
            try:
                found.append(self._unmask(one, by_node, kind))
            except RoundError as error:
                log(WARNING, "A sum was not given: %s: %s", error.code, error.message)
                ended = error
        if ended is not None and not found:
            raise ended
        return found

    def _greet(self, nodes: list[int], kind: str) -> None:
        """Learn the names of nodes that are new."""
        new = [node for node in nodes if node not in self._names]
        for node, said in self._asked({node: {"stage": HELLO} for node in new}, kind).items():
            name = str(said.get("name"))
            if name not in self._roster or name in (self._names.get(other) for other in nodes):
                log(WARNING, "Node %s calls itself %r: not on the roster, or there already.", node, name[:80])
            else:  # a client that was started again is another node
                self._names = {other: its for other, its in self._names.items() if its != name} | {node: name}

    def _dealt(self, nodes: Mapping[str, int], message: Any) -> list[_Round]:
        """Deal clients into cohorts by chance."""
        names = list(nodes)
        secrets.SystemRandom().shuffle(names)
        size, model = sum(array.size for array in model_of(message.content).values()), digest(message.content)
        found, run, many = [], message.metadata.run_id, max(self._agreed.cohorts, 1)
        for at in range(many):
            own = names[at::many]
            terms = self._agreed.terms(own, size, f"{run}/{self._count}", model)
            found.append(_Round(terms, Server(terms, self._roster), {name: nodes[name] for name in own}))
        return found

    def _advertise(self, rounds: list[_Round], kind: str) -> None:
        said = self._asked(
            {
                node: {"stage": ADVERTISE, "terms": msgspec.json.encode(one.terms)}
                for one in rounds for node in one.nodes.values()
            }, kind,
        )  # fmt: skip
        self._adverts: dict[int, list[bytes]] = {}
        for one in rounds:
            directory = one.server.directory(_read(one, said, "advert", Advert))
            listed = [pack(advert) for advert in directory]
            self._adverts |= {one.nodes[advert.name]: listed for advert in directory}

    def _share(self, rounds: list[_Round], kind: str) -> None:
        said = self._asked({node: {"stage": SHARE, "adverts": all_} for node, all_ in self._adverts.items()}, kind)
        for one in rounds:
            given = {name: boxes for name, node in one.nodes.items() if (boxes := _boxes(said.get(node, {})))}
            one.boxes = one.server.route(given)

    def _mask(self, rounds: list[_Round], by_node: Mapping[int, Any], timeout: float | None) -> None:
        asked, kind = {}, ""
        for one in rounds:
            for name, boxes in one.boxes.items():
                node = one.nodes[name]
                kind = by_node[node].metadata.message_type
                asked[node] = {"stage": MASK, "boxes": [pack(box) for box in boxes]}
        self._masked = self._asked(asked, kind, {node: by_node[node].content for node in asked}, timeout)

    def _unmask(self, one: _Round, by_node: Mapping[int, Any], kind: str) -> Any:
        """Return the strategy's reply: the mean model, and by how many rows it counts."""
        requests = one.server.collect(_read(one, self._masked, "masked", Sent))
        said = self._asked(
            {one.nodes[name]: {"stage": UNMASK, "request": pack(request)} for name, request in requests.items()}, kind
        )
        found = one.server.finish(_read(one, said, "shares", Shares))
        self._told.append(found.included)
        count = len(found.included)
        log(INFO, "Masked round %s: a sum of %s of %s clients.%s", self._count, count, len(one.nodes), self._cost(one))
        weights = int(found.total[-1]) // (one.terms.levels - 1) if self._agreed.weighted else count
        change = quantise.decode(found.total, one.terms, weights)
        message = by_node[next(iter(one.nodes.values()))]
        return Message(_content(message.content, change, weights), reply_to=message)

    def _cost(self, one: _Round) -> str:
        if not one.terms.variance:
            return ""
        epsilon = distributed.epsilon_after(one.terms, self._count, self._agreed.delta)
        return f" Spent by a client so far: epsilon {epsilon:.3g} at delta {self._agreed.delta:g}."

    def _asked(
        self, asked: Mapping[int, Mapping[str, Any]], kind: str, rest: Mapping[int, Any] | None = None,
        timeout: float | None = None,
    ) -> dict[int, dict[str, Any]]:  # fmt: skip
        """Send each node its part of a stage; return what came back, by node; who errs or is silent is left out."""
        messages = [
            Message(
                RecordDict(dict(rest[node].items() if rest else ()) | {RECORD: ConfigRecord(dict(told))}), node, kind
            )
            for node, told in asked.items()
        ]
        found = {}
        wait = timeout if rest else self._wait
        for reply in self._grid.send_and_receive(messages, timeout=wait) if messages else ():
            node = reply.metadata.src_node_id
            if reply.has_error():
                log(WARNING, "Client %s: %s", self._names.get(node, node), reply.error.reason)
            elif RECORD in reply.content.config_records:
                found[node] = dict(reply.content.config_records[RECORD])
        return found


def _read(one: _Round, said: Mapping[int, Mapping[str, Any]], key: str, kind: type[Kind]) -> Iterator[Kind]:
    """Read each client's message; one that cannot be read, or speaks for another client, is left out."""
    for name, node in one.nodes.items():
        try:
            found = unpack(said.get(node, {}).get(key, b""), kind)
        except (RoundError, TypeError):
            continue
        if found.name == name:
            yield found


def _boxes(said: Mapping[str, Any]) -> list[Box]:
    """Read a client's boxes; none if one cannot be read."""
    try:
        return [unpack(box, Box) for box in said.get("boxes", ())]
    except (RoundError, TypeError):
        return []


def _content(sent: Any, change: np.ndarray, weights: int) -> Any:
    """Return a reply's content: the model that was sent, moved by a change."""
    key, at, arrays = next(iter(sent.array_records)), 0, {}
    for name, array in model_of(sent).items():
        moved = array.astype(np.float64) + change[at : at + array.size].reshape(array.shape)
        at += array.size
        whole = np.rint(moved) if array.dtype.kind in "iub" else moved
        arrays[name] = Array(np.asarray(whole.astype(array.dtype)))
    return RecordDict({key: ArrayRecord(arrays), "metrics": MetricRecord({EXAMPLES: weights})})
