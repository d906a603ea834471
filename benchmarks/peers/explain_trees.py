"""Trees and their Shapley values by shap's TreeExplainer, in its own interpreter: ``python explain_trees.py OUT.npz``.

A random forest of 100 trees and boosted trees, both regressors of 20 columns; 20 rows over 100 background rows, then
100 over 1,000. Writes the trees, cells, values and seconds of the processor (constructor and values).
"""

import sys
import time

import numpy as np
import shap
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

CASES = ((20, 100), (100, 1000))


def main(out):
    """Fit, explain, write."""
    rng = np.random.default_rng(3)
    data = rng.normal(size=(3000, 20)).astype(np.float32).astype(np.float64)
    noise = rng.normal(size=3000)
    target = np.sin(data[:, 0]) * data[:, 1] + data[:, 2] + 0.5 * (data[:, 3] > 0) * data[:, 4] + 0.3 * noise
    models = {
        "forest": RandomForestRegressor(100, min_samples_leaf=5, random_state=0).fit(data[:2000], target[:2000]),
        "boosted": GradientBoostingRegressor(max_depth=4, random_state=0).fit(data[:2000], target[:2000]),
    }
    found = {"data": data[1000:]}
    for name, model in models.items():
        forest = name == "forest"
        trees = [one.tree_ for one in (model.estimators_ if forest else model.estimators_[:, 0])]
        scale = 1 / len(trees) if forest else model.learning_rate
        found |= {
            f"{name} counts": np.array([one.node_count for one in trees]),
            f"{name} left": np.concatenate([one.children_left for one in trees]),
            f"{name} right": np.concatenate([one.children_right for one in trees]),
            f"{name} feature": np.concatenate([one.feature for one in trees]),
            f"{name} threshold": np.concatenate([one.threshold for one in trees]),
            f"{name} value": np.concatenate([one.value[:, :, 0] for one in trees]) * scale,
        }
        for rows, background in CASES:
            explained, known = data[2000 : 2000 + rows], data[1000 : 1000 + background]
            begun = time.process_time()
            masker = shap.maskers.Independent(known, max_samples=len(known))  # by itself it takes 100 rows
            explainer = shap.TreeExplainer(model, masker, feature_perturbation="interventional")
            values = explainer.shap_values(explained, check_additivity=False)
            found[f"{name} {rows} seconds"] = time.process_time() - begun
            found[f"{name} {rows} values"] = values
    np.savez(out, **found)


if __name__ == "__main__":
    main(sys.argv[1])
