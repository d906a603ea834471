"""Flower, client: a mod that answers a masked round's stages, and trains in between.

``ClientApp(mods=[masked_mod])``. The SuperNode's configuration says who the client is::

    --node-config 'fivefold-name="a" fivefold-key="a.pem" fivefold-federation="federation.toml"'

Threat: the SuperLink and the ServerApp read one client's update, or switch protection off: a message to train that is
no part of a masked round is refused. Limit: what a client says when it evaluates travels as it is; so do errors that
the application raises.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from flwr.app import ConfigRecord, Error, Message, RecordDict

from fivefold.errors import FivefoldError, InputError
from fivefold.keys.signing import load_private
from fivefold.sharing.federated import agreement, quantise
from fivefold.sharing.federated.client import Client
from fivefold.sharing.federated.distributed import shortened
from fivefold.sharing.federated.messages import Advert, Box, Request, pack, unpack
from fivefold.sharing.federated.terms import RoundError, Terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.keys.signing import Signer

RECORD, ROUNDS = "fivefold", "fivefold-rounds"
HELLO, ADVERTISE, SHARE, MASK, UNMASK = "hello", "advertise", "share", "mask", "unmask"
NAME, KEY, FEDERATION = "fivefold-name", "fivefold-key", "fivefold-federation"
EXAMPLES = "num-examples"
_TEXT = 400


def masked_mod(message: Any, context: Any, call_next: Callable[[Any, Any], Any]) -> Any:
    """Answer one stage; other messages than those to train are handed on.

    A stage that does not hold is answered with Flower's ``Error``, whose reason begins with our code.
    """
    if message.metadata.message_type.partition(".")[0] != "train":
        return call_next(message, context)
    told = message.content.config_records.get(RECORD)
    try:
        if told is None:
            raise RoundError("federated.unmasked", "the server asks to train without masks; this client does not.")
        return _answer(message, context, call_next, told)
    except FivefoldError as error:
        context.state.pop(RECORD, None)
        remedy = f" {error.remedy}" if error.remedy else ""
        return Message(Error(0, f"{error.code}: {error.message}{remedy}"[:_TEXT]), reply_to=message)


def _answer(message: Any, context: Any, call_next: Callable[[Any, Any], Any], told: Any) -> Any:
    own = _Own(context.node_config)
    stage = told.get("stage")
    if stage == HELLO:
        return _reply(message, {"name": own.name})
    if stage == ADVERTISE:
        terms = _terms(told, own, context)
        client = Client(own.name, own.signer, own.roster, terms, set())
        said: dict[str, Any] = {"advert": pack(client.advertise())}
        _keep(context, client, terms)
        return _reply(message, said)
    client, terms = _taken_up(context, own)
    if stage == SHARE:
        adverts = [unpack(one, Advert) for one in told["adverts"]]
        said = {"boxes": [pack(box) for box in client.share(adverts)]}
        _keep(context, client, terms)
        return _reply(message, said)
    if stage == MASK:
        boxes = [unpack(one, Box) for one in told["boxes"]]
        trained = _trained(message, context, call_next, terms)
        if trained.has_error():
            context.state.pop(RECORD, None)
            return trained
        vector = _vector(message, trained, terms, own.agreed)
        said = {"masked": pack(client.mask(boxes, vector))}
        _keep(context, client, terms)
        return _reply(message, said)
    if stage == UNMASK:
        shares = client.unmask(unpack(told["request"], Request))
        context.state.pop(RECORD, None)
        return _reply(message, {"shares": pack(shares)})
    raise RoundError("federated.message", "the server asks for a stage that there is not.")


class _Own:
    """Who this client is, by its SuperNode's configuration."""

    def __init__(self, config: Any) -> None:
        missing = [key for key in (NAME, KEY, FEDERATION) if not isinstance(config.get(key), str)]
        if missing:
            raise InputError(
                "federated.node", f"the SuperNode's configuration lacks {missing[0]}.",
                remedy="Start it by `fivefold federate join`.",
            )  # fmt: skip
        self.name: str = config[NAME]
        self.agreed = agreement.read(Path(config[FEDERATION]))
        self.roster = self.agreed.roster()
        self.signer = _signer(Path(config[KEY]))
        if self.name not in self.roster or self.roster[self.name].id != self.signer.public.id:
            raise InputError(
                "federated.node", f"the key is not that of {self.name[:80]!r} in the agreement.",
                remedy="Name the key that `fivefold federate key` made for this client.",
            )  # fmt: skip


def _signer(path: Path) -> Signer:
    try:
        return load_private(path.read_bytes())
    except OSError as error:
        raise InputError(
            "federated.key", f"the key cannot be read ({error.strerror}).", where=str(path),
            remedy="Make one: `fivefold federate key NAME`.",
        ) from None  # fmt: skip


def _terms(told: Any, own: _Own, context: Any) -> Terms:
    """Return the terms of a new round of this run, if they are what was agreed."""
    try:
        terms = msgspec.json.decode(told["terms"], type=Terms)
        number = int(terms.round.removeprefix(f"{context.run_id}/"))
    except (KeyError, ValueError, TypeError, msgspec.DecodeError):
        raise RoundError("federated.terms", "the server's terms cannot be read, or are of another run.") from None
    size = terms.size - own.agreed.weighted
    if size < 1 or terms != own.agreed.terms(terms.clients, size, terms.round, terms.model):
        raise RoundError(
            "federated.terms", "the server's terms are not those of the agreement.",
            remedy="Give all parties, the server too, the same file.",
        )  # fmt: skip
    last = int(context.state[ROUNDS]["last"]) if ROUNDS in context.state else 0
    if number <= last:
        raise RoundError("federated.replayed", f"round {terms.round!r} was taken part in already.")
    context.state[ROUNDS] = ConfigRecord({"last": number})
    return terms


def _keep(context: Any, client: Client, terms: Terms) -> None:
    context.state[RECORD] = ConfigRecord({"kept": client.kept(), "terms": msgspec.json.encode(terms)})


def _taken_up(context: Any, own: _Own) -> tuple[Client, Terms]:
    if RECORD not in context.state:
        raise RoundError("federated.stage", "a stage was asked for out of turn, or after the round ended.")
    kept = context.state[RECORD]
    terms = msgspec.json.decode(kept["terms"], type=Terms)
    client = Client(own.name, own.signer, own.roster, terms, set())
    client.resume(kept["kept"])
    return client, terms


def _trained(message: Any, context: Any, call_next: Callable[[Any, Any], Any], terms: Terms) -> Any:
    """Have the application train on the model that was agreed on, and on no other."""
    if digest(message.content) != terms.model:
        raise RoundError("federated.model", "the model is not the one that all clients were told of.")
    rest = {key: record for key, record in message.content.items() if key != RECORD}
    message.content = RecordDict(rest)
    return call_next(message, context)


def _vector(message: Any, trained: Any, terms: Terms, agreed: agreement.Agreement) -> np.ndarray:
    """Return how the model changed, encoded, with the weight as one more number where clients are weighted."""
    before, after = model_of(message.content), model_of(trained.content)
    shapes = [{key: array.shape for key, array in one.items()} for one in (before, after)]
    if shapes[0] != shapes[1]:
        raise InputError(
            "federated.arrays", "the trained model has other arrays than the one that was sent.",
            remedy="Return the same names and shapes.",
        )  # fmt: skip
    change = np.concatenate([(after[key].astype(np.float64) - before[key]).ravel() for key in before])
    weight = _weight(trained, agreed) if agreed.weighted else 1
    if terms.variance:
        change = shortened(change, terms.norm)
    return quantise.encode(np.append(change, terms.clip) if agreed.weighted else change, terms, weight)


def _weight(trained: Any, agreed: agreement.Agreement) -> int:
    """Return by how many rows this client counts."""
    found = [record[EXAMPLES] for record in trained.content.metric_records.values() if EXAMPLES in record]
    if len(found) != 1 or isinstance(found[0], list) or found[0] != int(found[0]):
        raise InputError(
            "federated.examples", f"the reply holds no whole number {EXAMPLES}.",
            remedy=f'Return MetricRecord({{"{EXAMPLES}": rows}}), or agree on examples = 1.',
        )  # fmt: skip
    weight = int(found[0])
    if not 1 <= weight <= agreed.examples:
        raise InputError(
            "federated.examples", f"{weight:,} rows are not 1 to {agreed.examples:,}, as was agreed.",
            remedy="Agree on a larger `examples`, or on 1, and all clients count alike.",
        )  # fmt: skip
    return weight


def model_of(content: Any) -> dict[str, np.ndarray]:
    """Return the arrays of the one array record of a message.

    Raises:
        InputError: ``federated.arrays`` for more or none, or for what holds no numbers.
    """
    records = list(content.array_records.values())
    if len(records) != 1 or not len(records[0]):
        raise InputError("federated.arrays", f"{len(records)} models are in a message; masks need one.",
                         remedy="Send and return one ArrayRecord.")  # fmt: skip
    found = {str(key): array.numpy() for key, array in records[0].items()}
    if any(array.dtype.kind not in "fiub" for array in found.values()):
        raise InputError("federated.arrays", "the model holds what is no number.", remedy="Send numbers alone.")
    return found


def digest(content: Any) -> str:
    """Return SHA-256 of a message's model, names and shapes included."""
    state = hashlib.sha256(b"fivefold model v1\0")
    for key, array in model_of(content).items():
        head = msgspec.json.encode([key, array.dtype.str, list(array.shape)])
        state.update(len(head).to_bytes(4, "big") + head + hashlib.sha256(array.tobytes()).digest())
    return state.hexdigest()


def _reply(message: Any, said: dict[str, Any]) -> Any:
    return Message(RecordDict({RECORD: ConfigRecord(said)}), reply_to=message)
