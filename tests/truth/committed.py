"""Subjects of T3.commitment: marks that were committed to in time, or not, in a known way."""

from __future__ import annotations

import hashlib
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.evidence import model_mark
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.log import cosignature, tlog_proof
from fivefold.log.book import Book
from fivefold.log.cosigning import COSIGNED
from fivefold.log.proving import prove
from fivefold.log.simulated import SimulatedDisk

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK, NOW = "T3.commitment", "2026-11-30T12:00:00Z"
RELEASED, BEFORE, AFTER = "2026-11-20", 1_795_000_000, 1_795_910_000
FAULTS = (
    "witnessed after the release", "no witness", "witness not trusted", "no proof", "another entry's proof",
    "owner not trusted", "owner's key revoked", "another secret", "another model is loaded", "commitment changed",
    "another log's checkpoint", "proof cut",
)  # fmt: skip


def build(seed: int, fault: str = "", *, released: str = RELEASED) -> Context:
    """Return the context of an application with one to three marks, one of them at fault."""
    rng = np.random.default_rng([seed, 0])
    folder = Path(tempfile.mkdtemp(prefix="fivefold-truth-"))
    for name in ("scratch", "model"):
        (folder / name).mkdir()
    files = {f"part{at}.npz": rng.bytes(200) for at in range(int(rng.integers(1, 4)))}
    for name, data in files.items():
        (folder / "model" / name).write_bytes(data)
    owner, log, witness = generate("ecdsa-p256"), generate(), generate("ml-dsa-44" if seed % 4 == 0 else "ed25519")
    forms = [str(one) for one in rng.permutation(model_mark.FORMS)[: int(rng.integers(1, 4))]]
    if fault == "another model is loaded" and forms == ["triggers"]:
        forms = ["weights"]  # questions are drawn before the model that learns them, and bound to none
    openings = {form: rng.bytes(100) for form in forms}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    if fault == "another model is loaded":
        digests[next(iter(digests))] = hashlib.sha256(rng.bytes(3)).hexdigest()
    signed = {form: model_mark.commit(form, openings[form], digests, owner, "2026-11-01T00:00:00Z") for form in forms}  # type: ignore[arg-type]
    if fault == "another secret":
        openings[forms[0]] = rng.bytes(100)
    if fault == "commitment changed":
        data = bytearray(signed[forms[0]])
        data[len(data) // 2] ^= 1
        signed[forms[0]] = bytes(data)
    at = AFTER if fault == "witnessed after the release" else BEFORE
    proofs = _proofs(list(signed.values()), log, None if fault == "no witness" else witness, at)
    if fault == "no proof":
        proofs[0] = b""
    elif fault == "another entry's proof":
        proofs[0] = _proofs([b"another"], log, witness, at)[0]
    elif fault == "another log's checkpoint":
        proofs[0] = _proofs(list(signed.values()), generate(), witness, at)[0]
    elif fault == "proof cut":
        proofs[0] = proofs[0][: int(rng.integers(1, len(proofs[0]) - 1))]
    mark = dict(signed)
    for form, proof in zip(forms, proofs, strict=True):
        mark |= {f"{form}.opening": openings[form], f"{form}.proof": proof}
    return context(
        CHECK, None, {}, seed, thresholds=floors(CHECK), effort="quick", mark=mark, now=NOW,
        settings=SettingsView(controls={"T3": {"released": released}} if released else {}),
        trust=trust_file.write(_trust(fault, owner, log, witness)), model_root=folder / "model",
        scratch=folder / "scratch",
    )  # fmt: skip


def _proofs(entries, log, witness, at):  # type: ignore[no-untyped-def]
    disk = SimulatedDisk()
    book = Book(disk, "fivefold/app/marks", log)
    first = book.append([b"before", *entries]) + 1
    point = book.publish()
    if witness is not None:
        disk.replace(COSIGNED, cosignature.merge(point, cosignature.cosign(point, "notary", witness, at)))
    found = [prove(disk, first + one) or b"" for one in range(len(entries))]
    assert all(tlog_proof.read(one).extra == entry for one, entry in zip(found, entries, strict=True))
    return found


def _trust(fault, owner, log, witness):  # type: ignore[no-untyped-def]
    found = trust_file.add(trust_file.Trust(), log.public, name="log", roles=("log",))
    if fault != "owner not trusted":
        found = trust_file.add(found, owner.public, name="owner", roles=("signer",))
    if fault == "owner's key revoked":
        found = trust_file.revoke(found, owner.public.id, "2026-01-01T00:00:00Z")
    if fault != "witness not trusted":
        found = trust_file.add(found, witness.public, name="notary", roles=("witness",))
    return found


ENTRY = Entry(
    check=CHECK,
    documented=f"one fault of one commitment: {', '.join(FAULTS)}",
    planted={fault: partial(build, fault=fault) for fault in FAULTS},
    clean={"in time": build, "not released yet": partial(build, released="")},
    scratch=True,
)
