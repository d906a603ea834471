"""The guard's server beside MLServer with the same scikit-learn model, and what the guard adds before another server.

A logistic regression of 20 numbers, one row a request, as JSON, over connections that stay open; both give label and
scores. Sides take turns in rounds of one run. Everything of the guard is on (token, purpose, domain, a confined
process, two durable records for each answer) but the reason, which asks the model some hundred times and has a row of
its own. MLServer gets its favourite form: one tensor, parallel_workers=0.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.measure import family
from benchmarks.peer_env import REPO, PeerAbsentError, ensure
from benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

PINS = ("mlserver==1.7.1", "mlserver-sklearn==1.7.1")
COLUMNS = tuple(f"f{at}" for at in range(20))
ROWS = 64
TRAIN = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

def load(data="data/train.csv"):
    frame = pd.read_csv(data)
    return LogisticRegression().fit(frame.drop(columns="y").to_numpy(), frame["y"])
"""
SERVE = """
import sys
import fivefold.guard.reasoning as reasoning
from fivefold.cli.main import run
reasoning.MOST_ROWS = int(sys.argv[1])
run(sys.argv[2:])
"""
_FOLDERS = ("CONFIG", "STATE", "CACHE", "DATA")
_NGINX = "nginx is not on this machine (apt-get install nginx-light); what the guard adds is given by itself."


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and which peers are absent."""
    try:
        python, absent = ensure("guard", PINS), ""
    except PeerAbsentError as error:
        return [], str(error)
    count = 100 if gates else 400
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        home = Path(folder)
        environment = environment(home)
        signer(environment)
        pid, peer = stack.enter_context(mlserver(home / "peer", python))
        sides = {"mlserver": Side(pid, peer, requests("/v2/models/m/infer", peer, "", matrix=True))}
        signed = {"factory": "scorer:load", "signature": "m.sig"}
        behind = {"endpoint": f"http://127.0.0.1:{peer}/v2/models/m", "classes": ["bad", "good"]}
        for name, model, reasons in (("guard", signed, 0), ("reasons", signed, 8), ("proxy", behind, 0)):
            pid, port, token = stack.enter_context(guard(home / name, model, environment, reasons))
            sides[name] = Side(pid, port, requests(f"/v2/models/{name}/infer", port, token, matrix=False))
        for name, side in sides.items():
            side.single += asked(side, ROWS)
            if name != "reasons":  # they come from memory the second time, which would flatter them
                asked(side, ROWS)
                side.single.clear()
        measured = {name: side for name, side in sides.items() if name != "reasons"}
        for _ in range(repeat):
            for side in measured.values():
                side.single += asked(side, count)
            for side in measured.values():
                before = processor(side.pid)
                side.rates.append(rate(side, count))
                side.cost.append(1000 * (processor(side.pid) - before) / (4 * (count // 2)))
    rate = {name: statistics.median(side.rates) for name, side in measured.items()}
    p50 = {name: statistics.median(side.single) for name, side in sides.items()}
    cost = {name: statistics.median(side.cost) for name, side in measured.items()}
    added = p50["proxy"] - p50["mlserver"]
    return [
        Row("requests/s, own server against MLServer", rate["guard"], rate["mlserver"], 2.0, "min", "/s"),
        Row("p50, own server against MLServer", p50["guard"], p50["mlserver"], 0.6, "max", "ms"),
        Row("processor time an answer, own server", cost["guard"], cost["mlserver"], 1.0, "max", "ms", required=False),
        Row("processor time an answer, proxy alone", cost["proxy"], cost["mlserver"], 1.0, "max", "ms", required=False),
        Row("p50 that the proxy adds, against nginx", None, None, 5.0, "max", "ms", required=False, note=_NGINX),
        Row("p50 that the proxy adds, by itself", added, None, 5.0, "max", "ms", required=False),
        Row("p50 with a reason, first time", p50["reasons"], None, 500.0, "max", "ms", required=False),
        Row("p50 through the proxy", p50["proxy"], p50["mlserver"], 10.0, "max", "ms", required=False),
    ], absent


