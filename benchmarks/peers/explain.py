"""Shapley values by shap and shapiq; run by its own interpreter: ``python explain.py TRUTH.npz SHARE SEED``.

For each explainer the budget is doubled until its error is at most SHARE of the size of the true values. Prints, for
each, seconds of the processor of that run, its error, and how many rows it asked; null: not reached.
"""

import json
import sys
import time
import warnings

import numpy as np
import shap
import shapiq
from explain_box import drawn

warnings.filterwarnings("ignore")
MOST_SECONDS = 40.0


def permutation(box, rows, background, budget):
    """Antithetic permutations over the whole background."""
    masker = shap.maskers.Independent(background, max_samples=len(background))
    turns = max(1, budget)
    explainer = shap.explainers.Permutation(box, masker)
    return explainer(rows, max_evals=turns * (2 * rows.shape[1] + 1), silent=True).values


def kernel(box, rows, background, budget):
    """Weighted least squares over coalitions."""
    coalitions = budget * (2 * rows.shape[1] + 1)
    return shap.KernelExplainer(box, background).shap_values(rows, nsamples=coalitions, l1_reg=False, silent=True)


def sampling(box, rows, background, budget):
    """One background row for each permutation."""
    return shap.SamplingExplainer(box, background).shap_values(rows, nsamples=budget * 20 * rows.shape[1], silent=True)


def iq(name):
    """Return an explainer of shapiq."""

    def explain(box, rows, background, budget):
        made = shapiq.TabularExplainer(
            box, background, imputer="marginal", sample_size=len(background), approximator=name, index="SV",
            max_order=1, random_state=0,
        )  # fmt: skip
        asked = budget * (2 * rows.shape[1] + 1)
        return np.array([made.explain(row, budget=asked).get_n_order_values(1) for row in rows])

    return explain


EXPLAINERS = {
    "shap Permutation": permutation,
    "shap Kernel": kernel,
    "shap Sampling": sampling,
    "shapiq permutation": iq("permutation"),
    "shapiq regression": iq("regression"),
}


def main(path, share, seed):
    """Measure."""
    with np.load(path) as file:
        truth = file["truth"]
        background = int(file["background"])
    box, rows, known = drawn(truth.shape[1], len(truth), background, seed)
    size = np.sqrt((truth**2).mean())
    found = {}
    for name, explain in EXPLAINERS.items():
        explain(box, rows[:1], known, 1)  # what is compiled once is not counted
        found[name] = None
        for doubling in range(12):
            np.random.seed(doubling)  # noqa: NPY002  what shap draws from
            begun = time.process_time()
            made = np.asarray(explain(box, rows, known, 2**doubling))
            cost = time.process_time() - begun
            error = float(np.sqrt(((made - truth) ** 2).mean()) / size)
            if error <= share:
                found[name] = {"cpu": cost, "error": error}
                break
            if cost > MOST_SECONDS / 2:
                break
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
