"""The black box and the rows of the benchmark ``explain``: ours and the peers draw the same."""

import numpy as np


def drawn(players, rows, background, seed):
    """Return a function of (m, P) float64 rows to (m,), the rows to explain and the background.

    The function is a multilayer perceptron (P-64-32-1, tanh) whose units saturate, so that columns interact.
    """
    rng = np.random.default_rng(seed)
    first, bias = 1.5 * rng.normal(size=(players, 64)) / np.sqrt(players), 0.5 * rng.normal(size=64)
    second, last = 1.5 * rng.normal(size=(64, 32)) / 8, rng.normal(size=32) / np.sqrt(32)
    mixing = np.eye(players) + 0.4 * np.eye(players, k=1)
    data = rng.normal(size=(rows + background, players)) @ mixing

    def box(some):
        return np.tanh(np.tanh(some @ first + bias) @ second) @ last

    return box, data[:rows], data[rows:]
