"""The rows of the benchmark ``fairness``: ours and the peer draw the same."""

import numpy as np
import pandas as pd


def drawn(rows):
    """Return groups (texts), truth and answers (0 or 1)."""
    rng = np.random.default_rng(20_261)
    names = np.array(["north", "south", "east", "west", "abroad"], dtype=object)
    codes = rng.integers(0, 5, rows)
    truth = (rng.random(rows) < 0.4).astype(np.int64)
    answer = np.where(rng.random(rows) < 0.05 + 0.03 * codes, 1 - truth, truth)
    return pd.Series(names[codes]), truth, answer
