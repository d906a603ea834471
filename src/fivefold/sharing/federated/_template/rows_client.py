"""The client: reads its own rows, trains for a few steps, and hands the model to the mod, which masks it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fivefold.sharing.federated.flower import masked_mod

app = ClientApp(mods=[masked_mod])


def read(context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Return this client's rows, (n, w) with columns scaled to -1..1 by their public bounds, and their (n,) classes."""
    config = context.run_config
    columns, classes = str(config["columns"]).split(","), str(config["classes"]).split(",")
    low, high = (np.array(str(config[key]).split(","), dtype=float) for key in ("low", "high"))
    with Path(str(context.node_config["data"])).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[str(config["target"])] in classes]
    values = np.array([[float(row[column] or "nan") for column in columns] for row in rows])
    scaled = np.nan_to_num(np.clip((values - low) / (high - low), 0.0, 1.0) * 2 - 1)  # a missing value is the middle
    return np.column_stack([scaled, np.ones(len(rows))]), np.array(
        [classes.index(row[str(config["target"])]) for row in rows]
    )


@app.train()
def train(message: Message, context: Context) -> Message:
    """Take steps of the softmax loss's gradient on all own rows."""
    x, y = read(context)
    weights = message.content.array_records["arrays"]["weights"].numpy().astype(float)
    wanted = np.eye(weights.shape[1])[y]
    for _ in range(int(context.run_config["steps"])):
        scores = x @ weights
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        weights = weights - float(context.run_config["rate"]) * x.T @ (chances - wanted) / max(len(x), 1)
    model = ArrayRecord({"weights": Array(weights.astype(np.float32))})
    return Message(RecordDict({"arrays": model, "metrics": MetricRecord({"num-examples": len(x)})}), reply_to=message)
