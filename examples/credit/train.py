"""Trains the scorer: gradient boosting with shallow trees, kept weak on purpose.

    python train.py        # writes model.json from data/train.csv; the owner signs it afterwards

30 trees of depth 2, at least 30 rows a leaf, half of the rows a tree: the weakest setting that cross-validation on the
training data finds no less accurate than the best. More and deeper trees gave away more of who was in the data. Fields
that the applicant is protected by are not shown to the model (see `drop` in fivefold.yaml).
"""

import json
from pathlib import Path

import numpy as np
from scorer import Scorer, encode
from sklearn.ensemble import GradientBoostingClassifier

SEED = 20
DROP = ("sex", "age_band", "marital_status", "foreign_worker")
TREES, RATE = 30, 0.1


def fit(table, rng: np.random.Generator) -> Scorer:
    """Return a model trained on a table.

    Args:
        table: Has `features` (a frame) and `target`: labels good and bad, or their places 1 and 0.
        rng: The only source of randomness.
    """
    return Scorer(describe(table.features, table.target, rng))


def describe(frame, target, rng: np.random.Generator) -> dict:
    """Train, and return what model.json holds."""
    target = np.asarray(target)
    good = (target == 1) if target.dtype.kind in "biuf" else (target == "good")
    columns = {name: _column(frame[name], good) for name in frame.columns}
    booster = GradientBoostingClassifier(
        n_estimators=TREES,
        learning_rate=RATE,
        max_depth=2,
        min_samples_leaf=min(30, max(1, len(good) // 15)),
        subsample=0.5,
        random_state=int(rng.integers(2**31)),
    )
    booster.fit(encode(frame, columns), good)
    feature, threshold, leaf = zip(*(_flat(tree[0].tree_) for tree in booster.estimators_), strict=True)
    share = np.clip(good.mean(), 1e-6, 1 - 1e-6)
    return {
        "columns": columns,
        "base": float(np.log(share / (1 - share))),
        "feature": [node for tree in feature for node in tree],
        "threshold": [node for tree in threshold for node in tree],
        "leaf": [node for tree in leaf for node in tree],
    }


def _column(values, good: np.ndarray) -> dict:
    """Number the texts of a column by their share of good credits, drawn towards the average where rows are few."""
    if values.dtype.kind in "iuf":
        return {"fill": float(np.nanmedian(values))}
    texts = values.astype(object)
    share = {}
    for text in sorted(set(texts.dropna())):
        chosen = good[(texts == text).to_numpy()]
        share[text] = (chosen.sum() + 10 * good.mean()) / (len(chosen) + 10)
    ranked = sorted(share, key=lambda text: (share[text], text))
    return {"codes": {text: code for code, text in enumerate(ranked)}, "fill": (len(ranked) - 1) / 2}


def _flat(tree) -> tuple[list[int], list[float], list[float]]:
    """Lay a tree of depth at most 2 out as root, two inner nodes and four leaves; a missing split goes left."""
    inner = [0, *((tree.children_left[0], tree.children_right[0]) if tree.children_left[0] != -1 else (0, 0))]
    feature, threshold, leaf = [], [], []
    for node in inner:
        split = tree.children_left[node] != -1
        feature.append(int(tree.feature[node]) if split else 0)
        threshold.append(float(tree.threshold[node]) if split else 1e300)
    for node in inner[1:]:
        split = tree.children_left[node] != -1
        ends = (tree.children_left[node], tree.children_right[node]) if split else (node, node)
        leaf += [RATE * float(tree.value[end].item()) for end in ends]
    return feature, threshold, leaf


def main() -> None:
    """Rewrite model.json."""
    import pandas as pd

    folder = Path(__file__).resolve().parent
    rows = pd.read_csv(folder / "data" / "train.csv", keep_default_na=False)
    frame = rows.drop(columns=[*DROP, "credit"])
    model = describe(frame, rows["credit"], np.random.default_rng(SEED))
    text = json.dumps(model, indent=1, sort_keys=False)
    (folder / "model.json").write_text(text + "\n", encoding="utf-8")
    print("model.json is written; its signature does not hold any more: fivefold model sign .")


if __name__ == "__main__":
    main()
