"""Subjects of T1.tampering: data sets whose labels bind columns and groups of rows, or do not, in a known way."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.evidence import data_label
from fivefold.evidence.data_label import DataLabel
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import Signer, generate
from fivefold.traceability.labels import content, planted, reading

from .entry import Entry
from .floors import floors
from .labels import _fields
from .subjects import context, filler, table

if TYPE_CHECKING:
    from fivefold.contract.check import Context
    from fivefold.evidence.data_content import Content

CHECK, NOW, SIGNED = "T1.tampering", "2026-11-24T12:00:00Z", "2026-10-01T00:00:00Z"
FAULTS = (
    "bytes alone", "stripped", "data changed", "swapped", "one bit of the label", "key not trusted", "other role",
    "leaves of other rows", "leaves that are not the roots'", "revoked",
)  # fmt: skip


def build(seed: int, fault: str = "") -> Context:
    """Return the context of an application with a training and a test table, one of them faulty if a fault is named."""
    rng = np.random.default_rng([seed, 0])
    width = int(rng.integers(2, 12))
    tables, labels, digests = {}, {}, {}
    steward = generate()
    bad = str(rng.choice(["train", "test"]))
    for name in ("train", "test"):
        rows = int(rng.integers(60, 3000))
        features = filler(rng, rows, width)
        tables[name] = table(name, features, rng.integers(0, 2, rows))
        bound = content.bind(reading.of_table(planted.as_arrow(features)))
        digests[name] = hashlib.sha256(rng.bytes(20)).hexdigest()
        labels[name] = _label(name, digests[name], bound, steward, rng)
        if name == bad and fault:
            labels[name] = _spoilt(fault, name, digests, labels[name], bound, steward, rng)
    if fault == "swapped":
        labels["train"], labels["test"] = labels["test"], labels["train"]
    role = "assessor" if fault == "other role" else "steward"
    trust = trust_file.add(trust_file.Trust(), steward.public, name="steward", roles=(role,))  # type: ignore[arg-type]
    if fault == "revoked":
        trust = trust_file.revoke(trust, steward.public.id, "2026-09-01T00:00:00Z")
    return context(
        CHECK, None, tables, seed, thresholds=floors(CHECK), settings=SettingsView(), labels=labels, digests=digests,
        trust=trust_file.write(trust), now=NOW, effort="standard",
    )  # fmt: skip


def _label(name: str, digest: str, bound: Content | None, signer: Signer, rng: np.random.Generator) -> bytes:
    made = DataLabel(fields=_fields(rng), issued=SIGNED, version=2, content=bound)
    return data_label.seal(name, digest, made, signer)


def _spoilt(
    fault: str,
    name: str,
    digests: dict[str, str],
    sound: bytes,
    bound: Content,
    steward: Signer,
    rng: np.random.Generator,
) -> bytes:
    if fault == "bytes alone":
        return data_label.sign(name, digests[name], _fields(rng), steward, SIGNED)
    if fault == "stripped":
        return b""
    if fault == "data changed":
        digests[name] = hashlib.sha256(digests[name].encode()).hexdigest()
    elif fault == "one bit of the label":
        data = bytearray(sound)
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        return bytes(data)
    elif fault == "key not trusted":
        return _label(name, digests[name], bound, generate(), rng)
    elif fault == "leaves of other rows":
        rows = filler(rng, int(rng.integers(3000, 4000)), len(bound.columns))
        other = content.bind(reading.of_table(planted.as_arrow(rows)))
        return _label(name, digests[name], other, steward, rng)
    elif fault == "leaves that are not the roots'":
        other = msgspec.structs.replace(bound, root=hashlib.sha256(b"x").hexdigest())
        return _label(name, digests[name], other, steward, rng)
    return sound


def few(seed: int) -> Context:
    """Build an application with 2 to 40 rows of numbers in its test set: one group, which a change is located to."""
    given = build(seed, "bytes alone")
    rng = np.random.default_rng([seed, 2])
    rows = int(rng.integers(2, 40))
    cut: dict[str, Any] = {name: given.tables(name) for name in ("train", "test")}
    cut["test"] = table("test", filler(rng, rows, 3), np.zeros(rows, dtype=np.int64))
    return context(
        CHECK, None, cut, seed, thresholds=floors(CHECK), settings=SettingsView(), labels=given.labels,
        digests=given.digests, trust=given.trust, now=NOW,
    )  # fmt: skip


ENTRY = Entry(
    check=CHECK,
    documented=f"one fault in the label of one of two data sets, of any of these kinds: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"labelled": build},
    small={"few rows, bytes alone": few},
)
