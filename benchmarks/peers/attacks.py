"""The peers' side of the benchmark `attacks`: torchattacks, ART and foolbox; prints one JSON line."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import attacks_net as common  # noqa: E402  after the path is set


class Counted:
    """Labels of a model, counted."""

    def __init__(self, predict: Any) -> None:
        self.predict, self.rows, self.calls = predict, 0, 0

    def __call__(self, values: Any) -> np.ndarray:
        """Return one-hot answers."""
        self.rows += len(values)
        self.calls += 1
        return np.eye(10, dtype=np.float32)[self.predict(np.asarray(values, dtype=np.float32))]


def main(rows: int, few: int, queries: int, net_file: Path) -> dict[str, Any]:
    """Attack, and return what stood, how far, and the processor's seconds."""
    import torchattacks

    made = common.trained(net_file)
    x, y, right = common.sample(made, rows)
    images, labels, told = torch.as_tensor(x[right]), torch.as_tensor(y[right]), dict[str, Any]()
    reach = common.EPSILON
    attacks = {
        "standard": torchattacks.AutoAttack(made, norm="Linf", eps=reach, version="standard", n_classes=10, seed=0),
        "pgd": torchattacks.PGD(made, eps=reach, alpha=0.01, steps=40),
        "square": torchattacks.Square(made, norm="Linf", eps=reach, n_queries=queries, n_restarts=1, seed=0),
    }
    for name, attack in attacks.items():
        begun = time.process_time()
        changed = attack(images, labels)
        told[f"{name} seconds"] = time.process_time() - begun
        with torch.no_grad():
            stood = (made(changed).argmax(1) == labels).numpy()
        found = np.zeros(rows, dtype=int)
        found[np.flatnonzero(right)[stood]] = 1
        told[name] = found.tolist()
    at = np.flatnonzero(right)[:few]
    pool = common.data()[2][-1000:]

    def answers(some: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return made(torch.as_tensor(some)).argmax(1).numpy()

    given = (x[at], y[at], common.starts(answers, pool, x[at], y[at]))
    told |= _art("cnn", answers, given) | _foolbox(made, given)
    wood, dx, dy = common.forest()
    chosen = np.flatnonzero(wood.predict(dx) == dy)[:few]
    return told | _art("forest", wood.predict, (
        dx[chosen], dy[chosen], common.starts(wood.predict, dx[-300:], dx[chosen], dy[chosen])
    ))  # fmt: skip


def _art(name: str, predict: Any, given: tuple[np.ndarray, ...]) -> dict[str, Any]:
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    x, y, begin = given
    asked = Counted(predict)
    model = BlackBoxClassifier(asked, x.shape[1:], 10, clip_values=(0.0, 1.0))
    begun = time.process_time()
    attack = HopSkipJump(model, norm=2, max_iter=15, max_eval=1000, init_eval=100, verbose=False, batch_size=64)
    found = attack.generate(x, y=np.eye(10)[y], x_adv_init=begin)
    size = np.linalg.norm((found - x).reshape(len(x), -1), axis=1)
    return {
        f"{name} l2": float(np.median(size)), f"{name} rows": asked.rows, f"{name} calls": asked.calls,
        f"{name} seconds": time.process_time() - begun,
    }  # fmt: skip


def _foolbox(made: Any, given: tuple[np.ndarray, ...]) -> dict[str, Any]:
    import foolbox

    x, y, begin = given
    begun = time.process_time()
    attack = foolbox.attacks.HopSkipJumpAttack(steps=10, max_gradient_eval_steps=1000, constraint="l2")
    found = attack.run(
        foolbox.PyTorchModel(made, bounds=(0, 1)), torch.as_tensor(x),
        foolbox.criteria.Misclassification(torch.as_tensor(y)), starting_points=torch.as_tensor(begin),
    ).numpy()  # fmt: skip
    size = np.linalg.norm((found - x).reshape(len(x), -1), axis=1)
    return {"foolbox l2": float(np.median(size)), "foolbox seconds": time.process_time() - begun}


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
