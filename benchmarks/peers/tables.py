"""HopSkipJump of ART on a table's rows, made to respect the features: every point that it asks for is made possible.

    python tables.py JOB.npz ANSWERS.npz

Runs in the environment of the peers (see benchmarks/attacks_tables.py). The model is trained here again from the same
arrays and seed; its answers to the attacked rows go back, so that whoever compares sees that it is the same one. The
attack works on numbers in units of their cost, one-hot columns for categories among them; what it asks for is moved to
the nearest possible row (whole steps, range, the largest of each one-hot group), and the cheapest possible row that it
ever asked for and that fell counts, also where the attack itself ends elsewhere.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def model(kind: str, values: np.ndarray, target: np.ndarray) -> object:
    """Return the model under attack, the same in both environments."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    made = {
        "logistic": LogisticRegression(max_iter=500),
        "forest": RandomForestClassifier(60, min_samples_leaf=2, random_state=0),
        "boosted": HistGradientBoostingClassifier(random_state=0),
        "network": MLPClassifier((32, 32), max_iter=60, random_state=0),
    }[kind]
    return made.fit(values, target)


class Asked:
    """The model, told possible rows alone; it remembers the cheapest of each attacked row that fell."""

    def __init__(self, fitted: object, job: dict[str, np.ndarray]) -> None:
        self.fitted, self.job, self.asked, self.calls = fitted, job, 0, 0
        self.row, self.best, self.spent = 0, np.inf, 0

    def possible(self, scaled: np.ndarray) -> np.ndarray:
        """Return (m, d) the nearest possible rows to points in units of cost."""
        job, start = self.job, self.job["start"][self.row]
        values = np.clip(scaled * job["unit"], job["low"], job["high"])
        stepped = job["step"] > 0
        values[:, stepped] = start[stepped] + np.round(values[:, stepped] - start[stepped])
        values[:, job["fixed"]] = start[job["fixed"]]
        for group in np.unique(job["group"][job["group"] >= 0]):
            columns = np.flatnonzero(job["group"] == group)
            largest = scaled[:, columns].argmax(axis=1)
            values[:, columns] = largest[:, None] == np.arange(len(columns))
        return values

    def __call__(self, scaled: np.ndarray) -> np.ndarray:
        """Return (m, 2) one-hot answers."""
        job = self.job
        values = self.possible(np.atleast_2d(scaled))
        answers = self.fitted.predict(values).astype(int)
        self.asked, self.calls = self.asked + len(values), self.calls + 1
        allowed = max(0, int(job["queries"]) - self.spent)
        self.spent += len(values)
        some, start = values[:allowed], job["start"][self.row]
        moved = np.abs(some - start) / job["unit"]
        price = np.where(job["group"] < 0, moved, 0.0).sum(axis=1)
        for group in np.unique(job["group"][job["group"] >= 0]):
            columns = job["group"] == group
            price += float(job["swap"]) * (some[:, columns] != start[columns]).any(axis=1)
        fell = answers[:allowed] != job["answers"][self.row]
        if fell.any():
            self.best = min(self.best, float(price[fell].min()))
        return np.eye(2)[answers]


def main() -> None:
    """Attack row after row within the same number of questions."""
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    with np.load(sys.argv[1], allow_pickle=False) as arrays:
        job = {key: arrays[key] for key in arrays.files}
    fitted = model(str(job["kind"]), job["train"], job["target"])
    job["answers"] = fitted.predict(job["start"]).astype(int)  # type: ignore[attr-defined]
    asked = Asked(fitted, job)
    scaled = (job["start"] / job["unit"]).astype(np.float64)
    span = (job["low"] / job["unit"], job["high"] / job["unit"])
    wrapped = BlackBoxClassifier(asked, (scaled.shape[1],), 2, clip_values=span)
    began, price, spent = time.process_time(), [], []
    norm = np.inf if str(job["norm"]) == "inf" else 2
    np.random.seed(0)  # noqa: NPY002  the peer draws from it
    for row in range(len(scaled)):
        asked.row, asked.best, asked.spent = row, np.inf, 0
        one = scaled[row : row + 1].astype(np.float32)
        for size in (20, 40, 80, 160):  # more and more, as long as there are questions
            attack = HopSkipJump(wrapped, norm=norm, max_iter=6, max_eval=size, init_eval=min(size, 20),
                                 init_size=40, verbose=False)  # fmt: skip
            attack.generate(one)
            if asked.spent >= int(job["queries"]):
                break
        price.append(asked.best)
        spent.append(min(asked.spent, int(job["queries"])))
    np.savez(
        sys.argv[2], price=np.array(price), spent=np.array(spent), answers=job["answers"],
        asked=asked.asked, calls=asked.calls, seconds=time.process_time() - began,
    )  # fmt: skip


if __name__ == "__main__":
    main()
