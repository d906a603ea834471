"""Doors: models that must not be served, held before the very function that admits one at start and reload (row T2)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.contract.registry import provided
from fivefold.errors import TrustError
from fivefold.evidence import oms
from fivefold.guard.memory import Memory
from fivefold.guard.opening import admitted
from fivefold.keys import store as keys
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.subject import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fivefold.manifest.nouns import Manifest
    from fivefold.subject.snapshot import Snapshot

_ADMITTED, _COPY = "admitted", "copy"
_PAST = "2000-01-01T00:00:00Z"


@dataclass(frozen=True)
class Door:
    """What came of one model.

    Attributes:
        tried: In words.
        came: ``admitted`` or ``refused: CODE``.
    """

    tried: str
    came: str


class Doors:
    """Copies of an application's model, each with one fault, and the model as it is.

    Threat: a model that nobody signed, or an older one, is served.
    Limit: what is behind an endpoint has no files, and is held against its evidence alone.
    """

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        """Take an application and an empty scratch folder."""
        self._manifest, self._folder = manifest, folder
        self._trust = keys.read_trust()

    def run(self) -> Iterator[Door]:
        """Yield what comes of the model as it is, then of each fault; nothing where the model has no files here."""
        if self._manifest.model is None or self._manifest.model.endpoint:
            return
        tries: dict[str, Callable[[Snapshot], tuple[Snapshot, bytes]]] = {
            "as it is": lambda taken: (taken, self._trust),
            "without a signature": lambda taken: (replace(taken, signature=None), self._trust),
            "a signature cut short": self._cut,
            "signed by a stranger": self._stranger,
            "a byte more in a file": self._longer,
            "a file more": self._more,
            "a file less": self._less,
            "a signer whose key is revoked": self._revoked,
            "a signer whose time is over": self._over,
        }
        taken = snapshot.take(self._manifest, self._folder, [keys.config_folder()])
        for tried, make in tries.items():
            faulty, trust = make(taken)
            yield self._door(tried, faulty, self._memory("empty"), trust)
            shutil.rmtree(self._folder / _COPY, ignore_errors=True)
        for tried, step in {"an older version": 1, "other files under the same version": 0}.items():
            served = {"version": self._manifest.model.version + step, "digest": "0" * 64}
            yield self._door(tried, taken, self._memory(f"served-{step}", served), self._trust)

    def _door(self, tried: str, taken: Snapshot, memory: Memory, trust: bytes) -> Door:
        try:
            admitted(taken, memory, trust)
        except TrustError as error:
            return Door(tried, f"refused: {error.code}")
        return Door(tried, _ADMITTED)

    def _memory(self, name: str, served: dict[str, Any] | None = None) -> Memory:
        """Return what a record of its own holds: nothing, or that another model was served."""
        place = provided("record.apart")(provided("record.home")(self._manifest), self._folder / name)
        if served is not None:
            with place.writing() as recorder, recorder.open("guard") as records:
                records.add("model-change", served, wait=True)
        return Memory(place, self._manifest, lambda *_: None)

    def _cut(self, taken: Snapshot) -> tuple[Snapshot, bytes]:
        return replace(taken, signature=(taken.signature or b"")[:-20]), self._trust

    def _stranger(self, taken: Snapshot) -> tuple[Snapshot, bytes]:
        files = {name: taken.signed / name for name in taken.files}
        return replace(taken, signature=oms.sign_files(files, generate("ecdsa-p256"))), self._trust

    def _longer(self, taken: Snapshot) -> tuple[Snapshot, bytes]:
        victim = self._own(taken) / next(iter(taken.files))
        victim.chmod(0o600)
        with victim.open("ab") as file:
            file.write(b"\n")
        return replace(taken, signed=self._folder / _COPY), self._trust

    def _more(self, taken: Snapshot) -> tuple[Snapshot, bytes]:
        (self._own(taken) / "drilled.py").write_bytes(b"drilled = True\n")
        return replace(taken, signed=self._folder / _COPY), self._trust

    def _less(self, taken: Snapshot) -> tuple[Snapshot, bytes]:
        (self._own(taken) / next(iter(taken.files))).unlink()
        return replace(taken, signed=self._folder / _COPY), self._trust

    def _own(self, taken: Snapshot) -> Path:
        """Return a copy of the signed files, to be changed."""
        return shutil.copytree(taken.signed, self._folder / _COPY)

    def _revoked(self, taken: Snapshot) -> tuple[Snapshot, bytes]:
        return taken, self._changed(revoked=_PAST)

    def _over(self, taken: Snapshot) -> tuple[Snapshot, bytes]:
        return taken, self._changed(valid_until=_PAST, valid_from="")

    def _changed(self, **fields: str) -> bytes:
        """Return the trust file with every key changed."""
        known = trust_file.read(self._trust)
        changed = tuple(msgspec.structs.replace(one, **fields) for one in known.keys)
        return trust_file.write(msgspec.structs.replace(known, keys=changed))
