"""Subjects of T1.labels: data sets labelled soundly or not, in a known way."""

from __future__ import annotations

import hashlib
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

CHECK, NOW = "T1.labels", "2026-11-24T12:00:00Z"
_WORDS = {"class": ("internal", "secret", "public"), "basis": ("contract", "consent", "none: no people"),
          "purpose": ("credit", "triage, research", "load forecast"), "region": ("EU", "DE, FR", "world"),
          "retain": ("5y", "400d", "18m", "60w"),
          "source": ("bureau", "ward 7", "meter")}  # fmt: skip
FAULTS = (
    "data changed", "one bit of the label", "class weakened in the manifest", "region changed in the label", "stripped",
    "swapped", "key not trusted", "other role", "revoked", "expired key", "outlived", "incomplete", "cut", "no source",
)  # fmt: skip


def _fields(rng: np.random.Generator) -> dict[str, Any]:
    personal = [f"c{at}" for at in range(int(rng.integers(0, 5)))]
    return {key: str(rng.choice(words)) for key, words in _WORDS.items()} | {"personal": personal}


def build(seed: int, fault: str = "") -> Context:
    """Return the context of an application with 1 to 5 data sets, one of them faulty if a fault is named."""
    rng = np.random.default_rng([seed, 0])
    names = ["train", "test", "calibration", "live", "other"][: int(rng.integers(2 if fault == "swapped" else 1, 6))]
    declared = {name: _fields(rng) for name in names}
    digests = {name: hashlib.sha256(rng.bytes(20)).hexdigest() for name in names}
    steward, now = generate(), "2026-10-01T00:00:00Z"
    bad = str(rng.choice(names))
    if fault == "outlived":
        declared[bad]["retain"] = "30d"
    if fault == "incomplete":
        del declared[bad][str(rng.choice(["basis", "purpose", "region", "class", "retain", "personal"]))]
    if fault == "no source":
        declared[bad]["source"] = ""
    trust = trust_file.add(trust_file.Trust(), steward.public, name="steward", roles=("steward",))
    labels = {name: data_label.sign(name, digests[name], declared[name], steward, now) for name in names}
    labels, trust = _tampered(fault, bad, labels, trust, declared, digests, steward, rng)
    return context(
        CHECK, None, {}, seed, thresholds=floors(CHECK), settings=SettingsView(labels=declared), labels=labels,
        digests=digests, trust=trust_file.write(trust), now=NOW,
    )  # fmt: skip


def _tampered(fault, bad, labels, trust, declared, digests, steward, rng):  # type: ignore[no-untyped-def]
    made = dict(labels)
    if fault == "data changed":
        digests[bad] = hashlib.sha256(digests[bad].encode()).hexdigest()
    elif fault == "one bit of the label":
        data = bytearray(made[bad])
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        made[bad] = bytes(data)
    elif fault == "class weakened in the manifest":
        declared[bad] = {**declared[bad], "class": "open to all"}
    elif fault == "region changed in the label":
        made[bad] = data_label.sign(bad, digests[bad], {**declared[bad], "region": "moon"}, steward, NOW)
    elif fault == "stripped":
        made[bad] = b""
    elif fault == "swapped":
        other = next(name for name in made if name != bad)
        made[bad], made[other] = made[other], made[bad]
    elif fault == "key not trusted":
        made[bad] = data_label.sign(bad, digests[bad], declared[bad], generate(), NOW)
    elif fault == "cut":
        made[bad] = made[bad][: int(rng.integers(1, len(made[bad])))]
    elif fault in ("other role", "expired key"):
        role = "assessor" if fault == "other role" else "steward"
        until = "" if fault == "other role" else "2026-11-01T00:00:00Z"
        trust = trust_file.add(trust_file.Trust(), steward.public, name="steward", roles=(role,), valid_until=until)
    elif fault == "revoked":
        trust = trust_file.revoke(trust, steward.public.id, "2026-09-01T00:00:00Z")
    return made, trust


def unlabelled(seed: int) -> Context:
    """Build the undefended reference: data that nobody labelled."""
    return build(seed, "stripped")


ENTRY = Entry(
    check=CHECK,
    documented=f"one fault in one data set, of any of these kinds: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"labelled": build},
)
