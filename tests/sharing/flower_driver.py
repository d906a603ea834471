"""A real federation: a SuperLink and ten SuperNodes that leave at every stage; beside it Flower's own FedAvg.

    python flower_driver.py FOLDER     # JSON on the last line of stdout

Runs in the environment with Flower. Round 1: one client leaves at each of the four stages. Round 2: a SuperNode is
killed, and another client's process ends itself while it trains.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from flwr.app import Array, ArrayRecord, Message, RecordDict
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity

from fivefold.sharing.federated import agreement, flower_run, quantise
from fivefold.sharing.federated.flower_run import Party, Secure

COUNT, ROUNDS, WAIT = 10, 2, 120
LEAVES = {0: "1:advertise", 1: "1:share", 2: "1:mask", 3: "1:unmask", 4: "2:mask!", 9: "2:advertise!!"}
DROPPING = '''
import os
import signal
from flwr.app import ConfigRecord

def dropping(message, context, call_next):
    """Leave before a stage of a round: raise, or end the process."""
    told = message.content.config_records.get("fivefold")
    if told is None:
        return call_next(message, context)
    count = int(context.state["dropping"]["round"]) if "dropping" in context.state else 0
    count += told["stage"] == "advertise"
    context.state["dropping"] = ConfigRecord({"round": count})
    leave = str(context.node_config.get("leaves", ""))
    if leave.rstrip("!") == f"{count}:{told['stage']}":
        if leave.endswith("!!"):
            os.killpg(os.getpgrp(), signal.SIGKILL)  # the SuperNode and all that it started
        if leave.endswith("!"):
            os._exit(3)
        raise RuntimeError("gone")
    return call_next(message, context)
'''


def prepared(folder: Path) -> tuple[list[Party], Path]:
    """Make keys, rows, an agreement, and the app with clients that leave and a server that keeps every model."""
    rng, parties, public = np.random.default_rng(5), [], []
    for at in range(COUNT):
        key, line = flower_run.make_key(f"site-{at}", folder)
        rows = folder / f"site-{at}.csv"
        age, income = rng.integers(18, 90, 40 + 7 * at), rng.integers(0, 200_000, 40 + 7 * at)
        lines = [f"{a},{i},{int(a + i / 4000 + rng.normal() * 9 > 70 + at)}" for a, i in zip(age, income, strict=True)]
        rows.write_text("age,income,default\n" + "\n".join(lines) + "\n")
        settings = {"data": str(rows)} | ({"leaves": LEAVES[at]} if at in LEAVES else {})
        parties.append(Party(f"site-{at}", key, folder / "study" / "federation.toml", settings))
        public.append(line)
    flower_run.make_agreement(folder / "study", public, {"examples": 500, "clip": 2.0})
    app = folder / "study" / "app"
    (app / "dropping.py").write_text(DROPPING)
    client, server = app / "rows_client.py", app / "rows_server.py"
    text = client.read_text().replace("mods=[masked_mod]", "mods=[dropping, masked_mod]")
    client.write_text(text.replace("from fivefold", "from dropping import dropping\nfrom fivefold", 1))
    text = server.read_text().replace(
        'num_rounds=int(config["rounds"])',
        f'num_rounds=int(config["rounds"]), timeout={WAIT}.0, evaluate_fn=lambda at, arrays: '
        'np.savez(f"{config[\'result\']}.{at}.npz", weights=arrays["weights"].numpy(), '
        'told=np.array([",".join(one) for one in masked.rounds[-1:]]))',
    )
    server.write_text(text)
    return parties, app


def federated(folder: Path, parties: list[Party], app: Path) -> list[str]:
    """Hold the run; return its log."""
    said: list[str] = []
    port = flower_run.free_port()
    with contextlib.ExitStack() as stack:
        link = flower_run.serve_command("127.0.0.1", port, Secure(), insecure=True)
        stack.enter_context(flower_run.running(link, folder / "superlink.log"))
        flower_run._await(port, folder / "superlink.log")
        for party in parties:
            command = flower_run.join_command(f"127.0.0.1:{port}", party, Secure(), insecure=True)
            stack.enter_context(flower_run.running(command, folder / f"{party.name}.log"))

        def say(line: str) -> None:
            said.append(line)
            print(line, flush=True)  # noqa: T201

        settings = {
            "federation": str(folder / "study" / "federation.toml"), "clients": str(COUNT), "rounds": str(ROUNDS),
            "result": str(folder / "model.npz"), "wait": str(float(WAIT)),
        }  # fmt: skip
        flower_run.run_app(app, f"127.0.0.1:{port}", settings, say=say)
    return said


def plain(folder: Path, parties: list[Party], app: Path) -> list[dict[str, object]]:
    """Compare each round with Flower's FedAvg over the same participants, from the same model."""
    sys.path.insert(0, str(app))
    spec = importlib.util.spec_from_file_location("rows_client", app / "rows_client.py")
    assert spec
    assert spec.loader
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    import tomllib

    config = tomllib.loads((app / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
    agreed = agreement.read(folder / "study" / "federation.toml")
    found = []
    for at in range(1, ROUNDS + 1):
        before, after = (np.load(folder / f"model.npz.{number}.npz") for number in (at - 1, at))
        names = [name for name in str(after["told"][0]).split(",") if name]
        replies = []
        for party in parties:
            if party.name in names:
                sent = RecordDict({"arrays": ArrayRecord({"weights": Array(before["weights"])})})
                context = SimpleNamespace(run_config=config, node_config=dict(party.settings))
                replies.append(client.train(Message(sent, 1, "train"), context))
        arrays, _ = FedAvg().aggregate_train(at, replies)
        off = float(np.abs(arrays["weights"].numpy().astype(float) - after["weights"]).max())
        terms = agreed.terms(sorted(agreed.clients), before["weights"].size, f"1/{at}", "")
        single = float(np.spacing(np.float32(np.abs(after["weights"]).max())))
        moved = float(np.abs(after["weights"] - before["weights"]).max())
        found.append({"names": names, "off": off, "bound": quantise.bound(terms) + 2 * single, "moved": moved})
    return found


def main() -> None:
    """Run all."""
    folder = Path(sys.argv[1])
    parties, app = prepared(folder)
    said = federated(folder, parties, app)
    found = {"rounds": plain(folder, parties, app), "log": [line for line in said if "Client" in line]}
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
