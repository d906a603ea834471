"""Subjects of T2.signature: model folders signed or tampered with in a known way."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fivefold.contract.subject import SettingsView
from fivefold.evidence import oms
from fivefold.evidence.envelope import PAYLOAD_TYPE, pae
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import Signer, generate

from .entry import Entry
from .floors import floors
from .subjects import context

if TYPE_CHECKING:
    from fivefold.contract.check import Context

CHECK = "T2.signature"
NOW = "2026-11-23T12:00:00Z"


def _files(rng: np.random.Generator) -> dict[str, bytes]:
    """Return a model of 2 to 12 files in nested folders, sizes from 1 byte to 200 kB, all different."""
    made = {}
    for index in range(int(rng.integers(2, 13))):
        folder = "/".join(f"d{int(rng.integers(3))}" for _ in range(int(rng.integers(3))))
        ending = str(rng.choice(["json", "npz", "py", "bin", "txt"]))
        name = f"{folder}/f{index}.{ending}".lstrip("/")
        made[name] = bytes([index]) + rng.bytes(int(10 ** rng.uniform(0, 5.3)))
    return made


def forged(bundle: bytes, signer: Signer, change: dict[str, str]) -> bytes:
    """Return a bundle validly signed by ``signer`` whose resources were renamed."""
    document = json.loads(bundle)
    statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    for item in statement["predicate"]["resources"]:
        item["name"] = change.get(item["name"], item["name"])
    payload = json.dumps(statement).encode()
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(
        signer.sign(pae(PAYLOAD_TYPE, payload))
    ).decode()
    return json.dumps(document).encode()


class Model:
    """One signed model in a folder, with the tools to spoil it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 0])
        self.folder = Path(tempfile.mkdtemp(prefix="fivefold-truth-"))
        self.root = self.folder / "model"
        self.content = _files(self.rng)
        for name, data in self.content.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.signer = generate(str(self.rng.choice(["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])))  # type: ignore[arg-type]
        self.bundle: bytes | None = oms.sign_files(self.content, self.signer)
        self.trust = trust_file.Trust()
        for index in range(int(self.rng.integers(0, 3))):
            self.trust = trust_file.add(
                self.trust, generate("ecdsa-p256").public, name=f"someone {index}", roles=("signer",)
            )
        self.trusted = trust_file.add(self.trust, self.signer.public, name="owner", roles=("signer",))

    def any(self) -> Path:
        """Return one of the files."""
        return self.root / list(self.content)[int(self.rng.integers(len(self.content)))]

    def context(self, seed: int, trust: trust_file.Trust | None = None) -> Context:
        """Return what the check would be handed."""
        scratch = self.folder / "scratch"
        scratch.mkdir()
        return context(
            CHECK,
            None,
            {},
            seed,
            thresholds=floors(CHECK),
            settings=SettingsView(),
            effort="quick",
            scratch=scratch,
            model_root=self.root,
            signature=self.bundle,
            trust=trust_file.write(self.trusted if trust is None else trust),
            now=NOW,
        )


def _clean(seed: int) -> Context:
    return Model(seed).context(seed)


def _planted(seed: int, kind: str) -> Context:
    model, trust = Model(seed), None
    path, rng = model.any(), model.rng
    if kind == "changed":
        data = bytearray(path.read_bytes())
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))
    elif kind == "older bytes":
        path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 50))))
    elif kind == "swapped":
        other = next(model.root / name for name in model.content if model.root / name != path)
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two)
        other.write_bytes(one)
    elif kind == "extra":
        (path.parent / f"new{int(rng.integers(100))}.py").write_bytes(rng.bytes(int(rng.integers(0, 40))))
    elif kind == "removed":
        path.unlink()
    elif kind == "symlink":
        shutil.move(path, model.folder / "aside")
        path.symlink_to(model.folder / "aside")
    elif kind == "outside name":
        name = path.relative_to(model.root).as_posix()
        model.bundle = forged(model.bundle or b"", model.signer, {name: f"../{name}"})
    elif kind == "unsigned":
        model.bundle = None
    elif kind == "other key":
        model.bundle = oms.sign_files(model.content, generate("ecdsa-p256"))
    elif kind == "key not trusted":
        trust = model.trust
    elif kind == "revoked":
        trust = trust_file.revoke(model.trusted, model.signer.public.id, "2026-01-01T00:00:00Z")
    elif kind == "expired":
        trust = trust_file.add(
            model.trust, model.signer.public, name="owner", roles=("signer",), valid_until="2026-01-01T00:00:00Z"
        )
    elif kind == "wrong role":
        trust = trust_file.add(model.trust, model.signer.public, name="owner", roles=("assessor",))
    elif kind == "truncated":
        bundle = model.bundle or b""
        model.bundle = bundle[: int(rng.integers(1, len(bundle) - 2))]
    elif kind == "signature bit":
        document = json.loads(model.bundle or b"")
        signature = bytearray(base64.b64decode(document["dsseEnvelope"]["signatures"][0]["sig"]))
        signature[-1] ^= 1 << int(rng.integers(8))
        document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(bytes(signature)).decode()
        model.bundle = json.dumps(document).encode()
    return model.context(seed, trust)


KINDS = (
    "changed",
    "older bytes",
    "swapped",
    "extra",
    "removed",
    "symlink",
    "outside name",
    "unsigned",
    "other key",
    "key not trusted",
    "revoked",
    "expired",
    "wrong role",
    "truncated",
    "signature bit",
)

ENTRY = Entry(
    check=CHECK,
    documented="one fault of any of these kinds, in one file, of one bit or more: " + ", ".join(KINDS),
    planted={kind: partial(_planted, kind=kind) for kind in KINDS},
    clean={"signed by a trusted key": _clean},
    scratch=True,
)
