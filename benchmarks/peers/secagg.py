"""One round of Flower's SecAgg+ in one process: its own mod and workflow, a grid that hands messages over.

    python secagg.py CLIENTS SIZE SHARES DROPPED     # figures as JSON on stdout

Runs in the environment of the peers (see benchmarks/secagg.py for the versions). Clients drop out before they send
their masked vector. Training is nothing: every client has its vector ready.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from types import SimpleNamespace

import numpy as np
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import Code, FitIns, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS
from flwr.compat.common import recorddict_compat as compat
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from flwr.server.workflow.secure_aggregation.secaggplus_workflow import SecAggPlusWorkflow, WorkflowState
from flwr.supercore.task_identity import TaskIdentity

logging.disable(logging.CRITICAL)
TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1


class Grid:
    """Hands messages to clients in this process and counts their time and bytes."""

    def __init__(self, vectors: dict[int, np.ndarray], dropped: set[int]) -> None:
        self.vectors, self.dropped, self.stage = vectors, dropped, 0
        self.contexts = {nid: Context(1, nid, {}, RecordDict(), {}) for nid in vectors}
        self.cpu = dict.fromkeys(vectors, 0.0)
        self.sent = dict.fromkeys(vectors, 0)

    def _train(self, nid: int):
        def call(message: Message, _context: Context) -> Message:
            result = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([self.vectors[nid]]), 1, {})
            return Message(compat.fitres_to_recorddict(result, keep_input=False), reply_to=message)

        return call

    def send_and_receive(self, messages: list[Message], *, timeout: float | None = None) -> list[Message]:  # noqa: ARG002
        """Ask every client that is there."""
        self.stage += 1
        replies = []
        for message in messages:
            nid = message.metadata.dst_node_id
            if self.stage >= 3 and nid in self.dropped:
                replies.append(Message(Error(0), reply_to=message))
                continue
            told = message.content.config_records[RECORD_KEY_CONFIGS]
            message.content = RecordDict(dict(message.content) | {RECORD_KEY_CONFIGS: ConfigRecord(dict(told))})
            began = time.process_time()
            reply = secaggplus_mod(message, self.contexts[nid], self._train(nid))
            self.cpu[nid] += time.process_time() - began
            for value in reply.content.config_records[RECORD_KEY_CONFIGS].values():
                items = value if isinstance(value, list) else [value]
                self.sent[nid] += sum(len(item) if isinstance(item, bytes) else 8 for item in items)
            replies.append(reply)
        return replies


def main(clients: int, size: int, shares: int, dropped: int) -> None:
    """Print the figures."""
    rng = np.random.default_rng(1)
    vectors = {nid: rng.uniform(-1, 1, size).astype(np.float32) for nid in range(1, clients + 1)}
    grid = Grid(vectors, set(range(1, dropped + 1)))
    start = ndarrays_to_parameters([np.zeros(size, dtype=np.float32)])
    state = RecordDict()
    state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Key.CURRENT_ROUND: 1})
    state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(start, keep_input=True)
    proxies = [(SimpleNamespace(node_id=nid), FitIns(start, {})) for nid in vectors]
    kept: list = []
    strategy = SimpleNamespace(
        configure_fit=lambda *_: proxies,
        aggregate_fit=lambda _round, results, _bad: (kept.append(results), (None, {}))[1],
    )  # fmt: skip
    context = SimpleNamespace(
        state=state, strategy=strategy, client_manager=SimpleNamespace(num_available=lambda: clients)
    )
    flow = SecAggPlusWorkflow(num_shares=shares, reconstruction_threshold=0.51, max_weight=1.0, clipping_range=1.0)
    round_ = WorkflowState()
    began = time.process_time()
    steps = (flow.setup_stage, flow.share_keys_stage, flow.collect_masked_vectors_stage, flow.unmask_stage)
    ended = [step(grid, context, round_) for step in steps]
    total = time.process_time() - began
    found = parameters_to_ndarrays(kept[0][0][1].parameters)[0]
    wanted = np.mean([vectors[nid] for nid in vectors if nid > dropped], axis=0)
    there = [nid for nid in vectors if nid > dropped]
    answer = {
        "ended": all(ended), "error": float(np.abs(found - wanted).max()),
        "client": float(np.mean([grid.cpu[nid] for nid in there])), "server": total - sum(grid.cpu.values()),
        "upload": float(np.mean([grid.sent[nid] for nid in there])),
    }  # fmt: skip
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:5]))
