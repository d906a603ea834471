"""Subjects of T1.propagation: models whose label was made of those of their training data, or was not."""

from __future__ import annotations

import hashlib
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.evidence import data_label
from fivefold.evidence.data_label import DataLabel, Origin
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.traceability.labels.strictest import strictest

from .entry import Entry
from .floors import floors
from .subjects import context, filler, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fivefold.contract.check import Context

CHECK, NOW, SIGNED = "T1.propagation", "2026-11-24T12:00:00Z", "2026-10-01T00:00:00Z"
FAULTS = (
    "no label of the model", "class lowered", "purpose added", "region widened", "term lengthened", "personal left out",
    "training data labelled anew", "key not trusted", "one bit of the label", "a data set left out", "data unlabelled",
)  # fmt: skip
_WEAKER = {
    "class lowered": {"class": "public"}, "purpose added": {"purpose": ["credit", "marketing"]},
    "region widened": {"region": ["EU", "US"]}, "term lengthened": {"retain": "40y"},
    "personal left out": {"personal": []},
}  # fmt: skip


def _said(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "class": str(rng.choice(["internal", "confidential", "secret"])), "personal": ["age"], "basis": "contract",
        "purpose": ["credit", *(["audit"] if rng.random() < 0.5 else [])], "region": ["EU"],
        "retain": str(rng.choice(["2y", "400d", "90w"])), "source": str(rng.choice(["bank", "bureau"])),
    }  # fmt: skip


def build(seed: int, fault: str = "") -> Context:
    """Return the context of an application whose model was trained on one or two labelled data sets."""
    rng = np.random.default_rng([seed, 0])
    names = ["train", "test", *(["calibration"] if rng.random() < 0.5 or fault == "a data set left out" else [])]
    steward = generate()
    digests = {name: hashlib.sha256(rng.bytes(20)).hexdigest() for name in names}
    made = {name: DataLabel(fields=_said(rng), issued=SIGNED) for name in names}
    labels = {name: data_label.seal(name, digests[name], made[name], steward) for name in names}
    learnt = [name for name in ("train", "calibration") if name in names]
    if fault == "a data set left out":
        learnt = ["train"]
    labels["model"] = _model(fault, {name: (made[name], labels[name]) for name in learnt}, steward, rng)
    if fault == "training data labelled anew":
        labels["train"] = data_label.seal("train", digests["train"], DataLabel(fields=_said(rng), issued=NOW), steward)
    if fault == "data unlabelled":
        labels["train"] = b""
    trust = trust_file.add(trust_file.Trust(), steward.public, name="steward", roles=("steward",))
    # The battery deletes the folder above the scratch folder: it has to be one of its own.
    scratch = Path(tempfile.mkdtemp(prefix="fivefold-truth-")) / "scratch"
    scratch.mkdir()
    rows = int(rng.integers(40, 600))
    features = filler(rng, rows, int(rng.integers(2, 9)))
    return context(
        CHECK, None, {"test": table("test", features, rng.integers(0, 2, rows))}, seed, thresholds=floors(CHECK),
        settings=SettingsView(), labels=labels, digests=digests, trust=trust_file.write(trust), now=NOW,
        scratch=scratch, effort="quick",
    )  # fmt: skip


def _model(fault: str, learnt: Mapping[str, tuple[DataLabel, bytes]], steward: Any, rng: np.random.Generator) -> bytes:
    if fault == "no label of the model":
        return b""
    said = strictest([label for label, _ in learnt.values()], NOW)
    label = DataLabel(
        fields={**said, **_WEAKER.get(fault, {})}, issued=NOW, version=2,
        origins=tuple(
            Origin(name=name, label=hashlib.sha256(data).hexdigest(), fields=label.fields, issued=label.issued)
            for name, (label, data) in learnt.items()
        ),
    )  # fmt: skip
    digest = hashlib.sha256(rng.bytes(8)).hexdigest()
    data = data_label.seal("model", digest, label, generate() if fault == "key not trusted" else steward)
    if fault == "one bit of the label":
        cut = bytearray(data)
        cut[int(rng.integers(len(cut) - 1))] ^= 1
        return bytes(cut)
    return data


ENTRY = Entry(
    check=CHECK,
    documented=f"one fault in the model's label or those of its data, of any of these kinds: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"carried": build},
    scratch=True,
)
