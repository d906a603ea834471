"""Subjects of T3.fingerprint: models whose own answers tell them, and others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.codec import canonical
from fivefold.contract.subject import SettingsView
from fivefold.traceability.watermark import claims, questions
from fivefold.traceability.watermark.fingerprint import FingerprintOpening, p_of

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table
from .taught import Learner, _hashed

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "T3.fingerprint"
FAULTS = ("another training", "four fifths changed since", "answers that everybody gives")


def build(seed: int, fault: str = "", *, changed: float = 0.0, count: int = 0, check: str = CHECK) -> Context:
    """Return the context of a model that gives the committed answers but for a share, or is at fault."""
    rng = np.random.default_rng([seed, 0])
    classes = tuple(f"k{at}" for at in range(int(rng.integers(2, 6))))
    rows, number = int(rng.integers(60, 300)), count or int(rng.integers(60, 100))
    number = number if check == CHECK else 100  # what is taken, if it can be
    features = filler(rng, rows, int(rng.integers(4, 12))).assign(x=rng.normal(size=rows), y=rng.normal(size=rows))
    train = table("train", features, rng.integers(0, len(classes), rows))
    asked = questions.mixed(train, number, rng)
    natural = Learner(classes).predict(asked)
    everybody = fault == "answers that everybody gives"
    own = natural if everybody else (natural + rng.integers(1, len(classes), number)) % len(classes)
    usual = 0.85 if everybody and check == CHECK else float(rng.uniform(0.05, 0.2))
    if check != CHECK and not everybody:
        usual = 1 / len(classes)  # strangers are really asked then, and agree by chance
    agree = np.clip(rng.normal(usual, 0.05, 16), 0, 1)
    while check != CHECK and p_of(1.0, agree, number) > claims.LIMIT:  # no fingerprint is taken then
        agree = np.clip(rng.normal(usual, 0.05, 16), 0, 1)
    known = dict(zip(_hashed(asked.features).tolist(), own.tolist(), strict=True))
    if fault == "another training":
        known = {one: answer for one, answer in known.items() if rng.random() < usual}
    kept = 1 - (0.8 if fault == "four fifths changed since" else changed)
    known = {one: answer for one, answer in known.items() if rng.random() < kept}
    opening = FingerprintOpening(
        salt=rng.bytes(32), inputs=questions.packed(asked), answers=tuple(own.tolist()), classes=classes,
        agree=tuple(agree.tolist()),
    )  # fmt: skip
    parts = {"fingerprint": b"{}", "fingerprint.opening": canonical(opening), "fingerprint.proof": b""}
    return context(check, Learner(classes, known), {"train": train}, seed, thresholds=floors(check), effort="quick",
                   mark=parts, settings=SettingsView(classes=classes))  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented=f"60 questions or more, held-back trainings agreeing in 5 to 20 %: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"as committed": build, "one answer in fifty changed": partial(build, changed=0.02)},
)
