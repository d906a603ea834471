"""The mod and the strategy with Flower's own messages, handed over in one process; runs in the environment with Flower.

    python flower_inside.py FOLDER     # JSON on the last line of stdout

What is tried: refusals of the client, the strategies that are refused, cohorts under a median, noise in the sum.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAvg, FedMedian, Krum
from flwr.supercore.task_identity import TaskIdentity

from fivefold.errors import FivefoldError
from fivefold.sharing.federated import agreement, flower_run
from fivefold.sharing.federated.flower import Masked, masked_mod
from fivefold.sharing.federated.flower_client import digest

logging.disable(logging.CRITICAL)
TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 7, 1


class Clients:
    """A grid whose nodes live in this process; each adds its number to every weight."""

    def __init__(self, folder: Path, count: int, settings: dict[str, float]) -> None:
        made = [flower_run.make_key(f"c{at:02}", folder / "keys") for at in range(count)]
        self.file = flower_run.make_agreement(folder / "study", [public for _, public in made], settings)
        self.contexts = {
            at + 1: Context(7, at + 1, {
                "fivefold-name": f"c{at:02}", "fivefold-key": str(private), "fivefold-federation": str(self.file),
            }, RecordDict(), {}) for at, (private, _) in enumerate(made)
        }  # fmt: skip
        self.errors: list[str] = []
        self.examples = 3

    def get_node_ids(self) -> list[int]:
        return list(self.contexts)

    def answer(self, message: Message, node: int) -> Message:
        """Hand one message to a node."""

        def train(told: Message, _context: Context) -> Message:
            weights = told.content.array_records["arrays"]["w"].numpy() + np.float32(node / 100)
            content = {
                "arrays": ArrayRecord({"w": Array(weights.astype(np.float32))}),
                "metrics": MetricRecord({"num-examples": self.examples, "loss": 1.0}),
            }
            return Message(RecordDict(content), reply_to=told)

        reply = masked_mod(message, self.contexts[node], train)
        if reply.has_error():
            self.errors.append(reply.error.reason)
        return reply

    def send_and_receive(self, messages: Any, *, timeout: float | None = None) -> list[Message]:
        return [self.answer(message, message.metadata.dst_node_id) for message in messages]


def model(size: int = 5) -> ArrayRecord:
    """Return a model of zeros."""
    return ArrayRecord({"w": Array(np.zeros(size, dtype=np.float32))})


def refusals(folder: Path) -> dict[str, str]:
    """Return what each odd message is answered with."""
    found = {}
    grid = Clients(folder, 5, {"examples": 100})
    agreed = agreement.read(grid.file)
    sent = RecordDict({"arrays": model()})
    own = digest(sent)

    def ask(told: dict[str, Any], kind: str = "train", content: RecordDict | None = None) -> str:
        records = dict((content or sent).items()) | ({"fivefold": ConfigRecord(told)} if told else {})
        reply = grid.answer(Message(RecordDict(records), 1, kind), 1)
        return reply.error.reason.partition(":")[0] if reply.has_error() else "answered"

    def terms(number: int, **more: Any) -> bytes:
        made = agreed.terms(sorted(agreed.clients), 5, f"7/{number}", own)
        return msgspec.json.encode(msgspec.structs.replace(made, **more))

    found["unmasked"] = ask({})
    found["evaluate"] = ask({}, "evaluate")
    found["clip"] = ask({"stage": "advertise", "terms": terms(1, clip=9.0)})
    found["other run"] = ask({"stage": "advertise", "terms": terms(1).replace(b'"7/1"', b'"8/1"')})
    found["no terms"] = ask({"stage": "advertise"})
    few = agreed.terms(sorted(agreed.clients)[:3], 5, "7/1", own)
    found["few"] = ask({"stage": "advertise", "terms": msgspec.json.encode(few).replace(b'"c02"', b'"c99"')})
    found["good"] = ask({"stage": "advertise", "terms": terms(2)})
    found["again"] = ask({"stage": "advertise", "terms": terms(2)})
    found["out of turn"] = ask({"stage": "unmask", "request": b""})
    found["no stage"] = ask({"stage": "advertise", "terms": terms(3)}) and ask({"stage": "nothing"})
    found["after an end"] = ask({"stage": "share", "adverts": []})
    return found


class Lying(Clients):
    """A SuperLink that gives one client another model."""

    def send_and_receive(self, messages: Any, *, timeout: float | None = None) -> list[Message]:
        listed = list(messages)
        for message in listed:
            if "arrays" in message.content and message.metadata.dst_node_id == 2:
                message.content["arrays"] = ArrayRecord({"w": Array(np.ones(5, dtype=np.float32))})
        return super().send_and_receive(listed, timeout=timeout)


def main() -> None:
    """Run all."""
    folder = Path(sys.argv[1])
    found: dict[str, Any] = {"refusals": refusals(folder / "one")}
    lying = Lying(folder / "two", 5, {"examples": 100})
    masked = Masked(FedAvg(fraction_evaluate=0.0), lying.file)
    result = masked.start(lying, model(), num_rounds=2)
    found["lied to"] = {"errors": lying.errors, "rounds": masked.rounds, "w": result.arrays["w"].numpy().tolist()}
    many = Clients(folder / "three", 5, {"examples": 2})
    try:
        Masked(FedAvg(fraction_evaluate=0.0), many.file).start(many, model(), num_rounds=1)
    except FivefoldError as error:
        found["too many rows"] = [error.code, many.errors[0].partition(":")[0]]
    refused = []
    for strategy in (Krum(), FedMedian(), DifferentialPrivacyServerSideFixedClipping(FedAvg(), 1.0, 1.0, 5)):
        try:
            Masked(strategy, many.file)
        except FivefoldError as error:
            refused.append(error.code)
    found["refused"] = refused
    dealt = Clients(folder / "four", 15, {"examples": 100, "cohorts": 5})
    masked = Masked(FedMedian(fraction_evaluate=0.0), dealt.file)
    result = masked.start(dealt, model(), num_rounds=1)
    means = [np.mean([int(name[1:]) + 1 for name in one]) / 100 for one in masked.rounds]
    found["cohorts"] = {"w": result.arrays["w"].numpy().tolist(), "median": float(np.median(means)), "sums": len(means)}
    again = Clients(folder / "six", 5, {"examples": 100})
    masked = Masked(FedAvg(fraction_evaluate=0.0), again.file)

    def restart(number: int, _arrays: ArrayRecord) -> None:
        """After the first round the second client is a new node."""
        if number == 1:
            again.contexts[9] = again.contexts.pop(2)

    masked.start(again, model(), num_rounds=2, evaluate_fn=restart)
    found["restarted"] = masked.rounds
    noised = Clients(folder / "five", 6, {"examples": 1, "noise": 1.0, "norm": 1.0})
    result = Masked(FedAvg(fraction_evaluate=0.0), noised.file).start(noised, model(20_000), num_rounds=1)
    found["noise"] = float(result.arrays["w"].numpy().std())
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
