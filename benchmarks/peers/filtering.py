"""Filters of the Adversarial Robustness Toolbox on pictures with bad rows; one network for both.

    python filtering.py ROWS.npz ... # each: images (n, h, w), label (n,), bad (n,) bool; figures as JSON on stdout

The network is the victim's: one hidden layer of 64, whose output is what both filters look at, as published
(activation clustering: Chen et al. 2018; spectral signatures: Tran, Li and Madry 2018). Spectral signatures are told
the true share of bad rows; activation clustering has ART's defaults. The others of ART need where each row came from
(provenance) or one training for each row (RONI).
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import torch
from art.defences.detector.poison import ActivationDefence, SpectralSignatureDefense
from art.estimators.classification import PyTorchClassifier
from sklearn.metrics import roc_auc_score

_EPOCHS = 80


class Net(torch.nn.Module):
    """A network whose last named layer is its hidden one: ART looks at the last of the names."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.head = torch.nn.Linear(64, classes)
        self.body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, 64), torch.nn.ReLU())

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return self.head(self.body(rows))


def judged(path: str) -> dict[str, dict[str, float]]:
    """Return AUC, shares of bad and of good rows called bad, and processor time of each filter."""
    with np.load(path, allow_pickle=False) as held:
        images, label, bad = held["images"].astype(np.float32), held["label"], held["bad"]
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - ART draws from the global generator
    classes = int(label.max()) + 1
    net = Net(images[0].size, classes)
    held_by = PyTorchClassifier(
        net, torch.nn.CrossEntropyLoss(), images.shape[1:], classes,
        optimizer=torch.optim.Adam(net.parameters(), 1e-3, weight_decay=1e-4),
    )  # fmt: skip
    begun = time.process_time()
    held_by.fit(images, label, batch_size=200, nb_epochs=_EPOCHS)
    taught = time.process_time() - begun
    one_hot = np.eye(classes)[label]
    found = {}
    for name, made in (
        ("activation clustering", lambda: ActivationDefence(held_by, images, one_hot)),
        ("spectral signatures", lambda: SpectralSignatureDefense(
            held_by, images, one_hot, expected_pp_poison=float(bad.mean()))),
    ):  # fmt: skip
        begun = time.process_time()
        filtering = made()
        clean = np.asarray(filtering.detect_poison()[1], dtype=bool)
        seconds = time.process_time() - begun + taught
        score = (~clean).astype(float)
        if name == "spectral signatures":
            at = held_by.get_activations(images, layer=len(held_by.layer_names) - 1, batch_size=128)
            for code in range(classes):
                raw = filtering.spectral_signature_scores(at[label == code])[:, 0]
                score[label == code] = raw.argsort().argsort() / len(raw)  # ART decides by quantiles of each class
        found[name] = {
            "auc": float(roc_auc_score(bad, score)), "caught": float((~clean)[bad].mean()),
            "wrongly": float((~clean)[~bad].mean()), "seconds": seconds,
        }  # fmt: skip
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps([judged(path) for path in sys.argv[1:]]))
