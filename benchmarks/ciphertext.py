"""Scoring encrypted rows: ours by features, beside TenSEAL row by row and TenSEAL's own batched tensor.

A weighted sum of 30 numbers, 4,096 rows. The gate comes first: all three are right to 1e-4. Time is that of the
processor, on one thread, ciphertexts packed and read as they would travel, transport left out, on all sides. Drawing
the key counts on our side alone. Rows are encrypted with the secret key on our side, and with the public key on the
others, which is what TenSEAL does unless told otherwise; 120 bits of modulus against 160, as our picker finds.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

from benchmarks.rows import Row
from fivefold.sharing.ciphertext import scorer
from fivefold.sharing.ciphertext.client import Owner
from fivefold.sharing.ciphertext.engine import library
from fivefold.sharing.ciphertext.server import Service
from fivefold.sharing.privacy.training import Column

WIDE, ROWS, ERROR = 30, 4096, 1e-4
PEER = {"poly_modulus_degree": 8192, "coeff_mod_bit_sizes": [60, 40, 60]}


def measure(*, gates: bool, repeat: int) -> tuple[list[Row], str]:
    """Return the rows, and why a peer is absent."""
    try:
        library()
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, it is absent
        return [], str(error)
    rng = np.random.default_rng(1)
    x, weights = rng.uniform(-1, 1, (ROWS, WIDE)), rng.normal(size=WIDE + 1)
    weights /= np.linalg.norm(weights)
    some = 32 if gates else 256
    ours = [_ours(x, weights) for _ in range(repeat + 1)][1:]
    single = [_row_by_row(x[:some], weights) for _ in range(repeat)]
    batched = [_batched(x, weights) for _ in range(repeat)]
    right = max(one["error"] for one in (*ours, *single, *batched)) <= ERROR
    note = f"{WIDE} numbers, {ROWS:,} rows (row by row: {some}); median of {repeat}"
    found = [Row("largest error", max(one["error"] for one in ours), None, ERROR, "max", "", note=note)]
    for name, peers, key, floor in (
        ("end to end, against row by row", single, "whole", 500.0),
        ("server, against row by row", single, "server", 2000.0),
        ("end to end, against the batched tensor", batched, "whole", 1.0),
        ("server, against the batched tensor", batched, "server", 1.0),
    ):
        mine, theirs = (median(one[key] for one in some) for some in (ours, peers))
        found.append(Row(name, mine if right else None, theirs, floor, "min", "rows/s", note=note))
    return found, ""


def _told(whole: float, server: float, off: np.ndarray) -> dict[str, float]:
    return {"whole": len(off) / whole, "server": len(off) / server, "error": float(np.abs(off).max())}


def _ours(x: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Score all rows by our owner and service; the key is drawn within the time."""
    made = scorer.Scorer(
        kind="linear", columns={f"c{at}": Column(bounds=(-1, 1)) for at in range(WIDE)}, weights=tuple(weights.tolist())
    )
    service, spent = Service(made), [0.0]

    def post(path: str, body: bytes) -> bytes:
        began = time.process_time()
        found = service.answer(path, body)
        spent[0] += time.process_time() - began
        return found

    began = time.process_time()
    scores = Owner(post).scores_exact(x)
    ended = time.process_time()
    return _told(ended - began, spent[0], scores - scorer.scores(made, x))


def _context() -> Any:
    ts = library()
    context = ts.context(ts.SCHEME_TYPE.CKKS, **PEER, n_threads=1)
    context.global_scale = 2.0**40
    context.generate_galois_keys()
    return context


def _row_by_row(x: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Score rows as TenSEAL's tutorials do: a ciphertext a row, `dot`, and a plain number added."""
    ts, context = library(), _context()
    began = time.process_time()
    sent = [ts.ckks_vector(context, row.tolist()).serialize() for row in x]
    between = time.process_time()
    plain = weights[1:].tolist()
    back = [(ts.ckks_vector_from(context, blob).dot(plain) + float(weights[0])).serialize() for blob in sent]
    after = time.process_time()
    scores = np.array([ts.ckks_vector_from(context, blob).decrypt()[0] for blob in back])
    return _told(time.process_time() - began, after - between, scores - (x @ weights[1:] + weights[0]))


def _batched(x: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Score rows by TenSEAL's tensor with the rows as its batch."""
    ts, context = library(), _context()
    began = time.process_time()
    sent = ts.ckks_tensor(context, ts.plain_tensor(x.reshape(len(x), 1, WIDE)), batch=True).serialize()
    between = time.process_time()
    held = ts.ckks_tensor_from(context, sent).mm(ts.plain_tensor(weights[1:].reshape(WIDE, 1)))
    back = (held + ts.plain_tensor(np.full((1, 1), weights[0]))).serialize()
    after = time.process_time()
    scores = np.array(ts.ckks_tensor_from(context, back).decrypt().tolist()).ravel()
    return _told(time.process_time() - began, after - between, scores - (x @ weights[1:] + weights[0]))
