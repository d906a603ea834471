"""Train the diagnosis on data/train.csv and write model.onnx, or refit it on other rows for the checks that retrain.

pip install "fivefold[assess,onnx]" skl2onnx
python train.py
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

TARGET = "root_cause"
TEXTS = ["first_alarm", "backhaul", "vendor", "region"]


def fit(data, rng):
    """Return a model trained on a table.

    Args:
        data: Has ``features``, a frame of n rows, and ``target``, their n root causes.
        rng: ``numpy.random.Generator``, the only source of randomness.
    """
    texts = [name for name in data.features.columns if name in TEXTS]
    numbers = [name for name in data.features.columns if name not in TEXTS]
    prepared = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore"), texts),
        ],
        sparse_threshold=0.0,
    )
    trees = GradientBoostingClassifier(
        n_estimators=50, max_depth=2, subsample=0.6, random_state=int(rng.integers(2**31))
    )
    return make_pipeline(prepared, trees).fit(data.features, np.asarray(data.target))


def export(model: Pipeline, features: pd.DataFrame) -> bytes:
    """Return the ONNX form of a model: one input a column, labels and probabilities as tensors."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    inputs = [
        (name, StringTensorType([None, 1]) if name in TEXTS else FloatTensorType([None, 1]))
        for name in features.columns
    ]
    graph = to_onnx(model, initial_types=inputs, options={id(model): {"zipmap": False}}, target_opset=18)
    return graph.SerializeToString()


def main() -> None:
    """Train and write ``model.onnx``."""
    here = Path(__file__).parent
    frame = pd.read_csv(here / "data" / "train.csv")
    features, target = frame.drop(columns=TARGET), frame[TARGET]

    model = fit(SimpleNamespace(features=features, target=target), np.random.Generator(np.random.PCG64(7)))
    (here / "model.onnx").write_bytes(export(model, features))


if __name__ == "__main__":
    main()
