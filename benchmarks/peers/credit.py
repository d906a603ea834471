"""The questions of `fivefold assess examples/credit`, answered with ART, fairlearn and scikit-learn.

    python credit.py FOLDER --draws 1000            # answers as JSON on stdout
    python credit.py FOLDER --strength JOB.npz      # ART's attack on given halves of given answers

Runs in the environment of the peers (see benchmarks/assess.py for the versions). One process answers everything, so
that each engine is imported once.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")

PROTECTED = ("sex", "age_band")
HIDDEN = ("sex", "age_band", "marital_status", "foreign_worker", "credit")
SCENARIOS = {"young": "age <= 25", "large": "amount > 5000", "long": "duration_months > 24"}
QUANTILES = (0.05, 0.95)


def load(folder: Path) -> tuple[object, dict[str, pd.DataFrame]]:
    """Return the example's model and its tables."""
    sys.path.insert(0, str(folder))
    import scorer

    tables = {name: pd.read_csv(folder / "data" / f"{name}.csv", keep_default_na=False) for name in ("train", "test")}
    return scorer.load(), tables


def accuracy(model: object, test: pd.DataFrame, draws: int) -> dict[str, object]:
    """Accuracy, balanced accuracy, missed and false alarms with bootstrap intervals, overall and per scenario."""
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score
    from sklearn.utils import resample

    truth = test["credit"].to_numpy()
    said = model.predict(test.drop(columns=list(HIDDEN)))  # type: ignore[attr-defined]
    answers: dict[str, object] = {}
    for name, where in {"all": None, **SCENARIOS}.items():
        rows = np.arange(len(test)) if where is None else np.flatnonzero(test.eval(where).to_numpy())
        found = []
        for draw in range(draws):
            picked = resample(rows, random_state=draw, stratify=truth[rows])
            t, s = truth[picked], said[picked]
            missed = 1 - recall_score(t, s, pos_label="bad", zero_division=0)
            alarms = 1 - recall_score(t, s, pos_label="good", zero_division=0)
            found.append((accuracy_score(t, s), balanced_accuracy_score(t, s), missed, alarms))
        answers[name] = np.quantile(found, QUANTILES, axis=0).tolist()
    return answers


def gaps(model: object, test: pd.DataFrame, draws: int) -> dict[str, object]:
    """Selection rate, TPR, FPR and PPV by protected field and intersection, with fairlearn's bootstrap."""
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
    from sklearn.metrics import precision_score

    truth = (test["credit"] == "good").to_numpy().astype(int)
    said = (model.predict(test.drop(columns=list(HIDDEN))) == "good").astype(int)  # type: ignore[attr-defined]
    measures = {
        "selection": selection_rate,
        "tpr": true_positive_rate,
        "fpr": false_positive_rate,
        "ppv": lambda t, s: precision_score(t, s, zero_division=0),
    }
    answers = {}
    for fields in ([PROTECTED[0]], [PROTECTED[1]], list(PROTECTED)):
        frame = MetricFrame(
            metrics=measures,
            y_true=truth,
            y_pred=said,
            sensitive_features=test[fields],
            n_boot=draws,
            ci_quantiles=list(QUANTILES),
            random_state=0,
        )
        bounds = [part.to_dict() for part in frame.difference_ci()]
        ratios = [part.to_dict() for part in frame.ratio_ci()]
        answers["+".join(fields)] = {"difference": bounds, "ratio": ratios}
    return answers


def membership(model: object, tables: dict[str, pd.DataFrame], draws: int) -> dict[str, object]:
    """ART's black-box membership attack (random forest), fitted on one half, stated on the other."""
    from sklearn.metrics import roc_auc_score, roc_curve
    from sklearn.utils import resample

    both = pd.concat([tables["train"], tables["test"]], ignore_index=True)
    scores = model.predict_proba(both.drop(columns=list(HIDDEN)))  # type: ignore[attr-defined]
    truth = (both["credit"] == "good").to_numpy().astype(int)
    member = np.arange(len(both)) < len(tables["train"])
    fit = np.random.default_rng(0).random(len(both)) < 0.5
    suspicion = attack(scores, truth, member, fit, "rf")
    m = member[~fit]
    found = []
    for draw in range(draws):
        picked = resample(np.arange(len(m)), random_state=draw, stratify=m)
        false, true, _ = roc_curve(m[picked], suspicion[picked])
        found.append((roc_auc_score(m[picked], suspicion[picked]), float(np.interp(0.01, false, true))))
    return {"auc": roc_auc_score(m, suspicion), "bounds": np.quantile(found, QUANTILES, axis=0).tolist()}


def attack(scores: np.ndarray, truth: np.ndarray, member: np.ndarray, fit: np.ndarray, kind: str) -> np.ndarray:
    """Return (k,) ART's suspicion for the rows that are not in ``fit``."""
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
    from art.estimators.classification import BlackBoxClassifier

    place = np.arange(len(truth), dtype=float)[:, None]
    asked = BlackBoxClassifier(lambda x: scores[x[:, 0].astype(int)], input_shape=(1,), nb_classes=scores.shape[1])
    art = MembershipInferenceBlackBox(asked, attack_model_type=kind)
    inner, outer = fit & member, fit & ~member
    art.fit(place[inner], truth[inner], place[outer], truth[outer])
    return art.infer(place[~fit], truth[~fit], probabilities=True).ravel()


def strength(job: Path) -> dict[str, list[float]]:
    """Return ART's AUC on each half of the job (arrays ``scores``, ``truth``, ``member``, ``fits``)."""
    from sklearn.metrics import roc_auc_score

    with np.load(job) as given:
        scores, truth, member, fits = (given[name] for name in ("scores", "truth", "member", "fits"))
    found: dict[str, list[float]] = {"rf": [], "gb": []}
    np.random.seed(0)  # noqa: NPY002  ART draws from the global generator
    for at, fit in enumerate(fits):
        for kind, values in found.items():
            values.append(float(roc_auc_score(member[~fit], attack(scores[at], truth[at], member, fit, kind))))
    return found


def main() -> None:
    """Answer and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--strength", type=Path)
    given = parser.parse_args()
    if given.strength:
        print(json.dumps(strength(given.strength)))
        return
    model, tables = load(given.folder)
    answers = {
        "accuracy": accuracy(model, tables["test"], given.draws),
        "gaps": gaps(model, tables["test"], given.draws),
        "membership": membership(model, tables, given.draws),
    }
    print(json.dumps(answers, default=str))


if __name__ == "__main__":
    main()
