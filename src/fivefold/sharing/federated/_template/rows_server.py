"""The server: Flower's FedAvg over masked rounds."""

from __future__ import annotations

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from fivefold.sharing.federated.flower import Masked

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, and write the model."""
    config = context.run_config
    shape = len(str(config["columns"]).split(",")) + 1, len(str(config["classes"]).split(","))
    masked = Masked(FedAvg(fraction_evaluate=0.0), str(config["federation"]), wait=float(config["wait"]))
    wanted = int(config["clients"]) or masked.agreed.fewest
    # Flower counts the clients before it waits for them: without the second number who comes late is left out
    masked.strategy.min_available_nodes = masked.strategy.min_train_nodes = wanted
    start = ArrayRecord({"weights": Array(np.zeros(shape, dtype=np.float32))})
    result = masked.start(grid=grid, initial_arrays=start, num_rounds=int(config["rounds"]))
    np.savez(str(config["result"]), weights=result.arrays["weights"].numpy())
