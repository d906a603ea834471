"""Subjects of T1.enforcement: applications whose declared use their data's labels allow, or do not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.evidence import data_label
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK, NOW, SIGNED = "T1.enforcement", "2026-11-24T12:00:00Z", "2026-10-01T00:00:00Z"
FAULTS = (
    "no control", "no region declared", "no purpose declared", "purpose not allowed", "one purpose too many",
    "runs elsewhere", "serves elsewhere", "label stripped", "data changed", "key not trusted", "label of one country",
    "outlived",
)  # fmt: skip


def build(seed: int, fault: str = "") -> Context:
    """Return the context of an application with one to four labelled data sets, at odds with one for a fault."""
    rng = np.random.default_rng([seed, 0])
    names = ["train", "test", "calibration", "live"][: int(rng.integers(1, 5))]
    bad, steward = str(rng.choice(names)), generate()
    region, here, there = [("EU", "DE", "FR"), ("EEA", "NO", "EU"), ("DE, FR", "FR", "DE"), ("world", "US", "CN")][
        int(rng.integers(3 if fault in ("runs elsewhere", "serves elsewhere", "label of one country") else 4))
    ]
    purposes = [f"p{at}" for at in range(int(rng.integers(1, 4)))]
    said = {name: _said(region, [*purposes, "other"], rng) for name in names}
    if fault == "label of one country":
        said[bad]["region"] = "PT"
    if fault == "outlived":
        said[bad]["retain"] = "20d"
    control: dict[str, Any] = {"purposes": purposes, "region": here, "serves": [there]}
    control |= {
        "no region declared": {"region": ""}, "no purpose declared": {"purposes": []},
        "purpose not allowed": {"purposes": ["marketing"]}, "one purpose too many": {"purposes": [*purposes, "ads"]},
        "runs elsewhere": {"region": "US"}, "serves elsewhere": {"serves": [there, "BR"]},
    }.get(fault, {})  # fmt: skip
    digests = {name: hashlib.sha256(rng.bytes(20)).hexdigest() for name in names}
    labels = {name: data_label.sign(name, digests[name], said[name], steward, SIGNED) for name in names}
    if fault == "label stripped":
        labels[bad] = b""
    if fault == "key not trusted":
        labels[bad] = data_label.sign(bad, digests[bad], said[bad], generate(), SIGNED)
    if fault == "data changed":
        digests[bad] = hashlib.sha256(digests[bad].encode()).hexdigest()
    trust = trust_file.add(trust_file.Trust(), steward.public, name="steward", roles=("steward",))
    made = context(
        CHECK, None, {}, seed, thresholds=floors(CHECK), settings=SettingsView(labels=said, controls={"T1": control}),
        labels=labels, digests=digests, trust=trust_file.write(trust), now=NOW,
    )  # fmt: skip
    if fault == "no control":
        return replace(made, settings=replace(made.settings, controls={}))
    return made


def _said(region: str, purposes: list[str], rng: np.random.Generator) -> dict[str, Any]:
    return {
        "class": "internal", "personal": [], "basis": "contract",
        "purpose": [str(one) for one in rng.permutation(purposes)],
        "region": region, "retain": "5y", "source": "bank",
    }  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented=f"one use that a label forbids, or that nothing enforces, of any of these kinds: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"allowed": build},
)
