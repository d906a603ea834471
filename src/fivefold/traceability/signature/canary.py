"""Canary: copies of the model with a planted fault must be refused, a copy signed by a known key must verify."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.contract.finding import Canary
from fivefold.errors import TrustError
from fivefold.evidence import oms
from fivefold.evidence.signed_set import require_name
from fivefold.keys import trust as trust_file
from fivefold.keys.signing import generate
from fivefold.traceability.signature.snapshot import listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from fivefold.keys.signing import Signer

    Inspect = Callable[[Path, bytes | None, bytes], str]

_MOST = 8 << 20  # bytes of one file that are copied; a fault shows as well in a part
_MOST_FILES = 100


@dataclass(frozen=True)
class _Copy:
    """A signed copy: its folder, its bundle, the trust file that names the key, and the rng."""

    root: Path
    bundle: bytes
    trust: bytes
    signer: Signer
    rng: np.random.Generator

    def victim(self) -> Path:
        """Return a file drawn from the rng."""
        files = list(listed(self.root).values())
        return files[int(self.rng.integers(len(files)))]


def _changed(copy: _Copy) -> tuple[bytes | None, bytes]:
    path = copy.victim()
    data = bytearray(path.read_bytes() or b"\0")
    if path.stat().st_size:
        data[int(copy.rng.integers(len(data)))] ^= 1 << int(copy.rng.integers(8))
    path.write_bytes(bytes(data))
    return copy.bundle, copy.trust


def _cut(copy: _Copy) -> tuple[bytes | None, bytes]:
    path = copy.victim()
    data = path.read_bytes()
    path.write_bytes(data[: int(copy.rng.integers(len(data)))] if data else b"\0")
    return copy.bundle, copy.trust


def _older(copy: _Copy) -> tuple[bytes | None, bytes]:
    path = copy.victim()
    path.write_bytes(path.read_bytes() + b"\n")
    return copy.bundle, copy.trust


def _swapped(copy: _Copy) -> tuple[bytes | None, bytes]:
    files = list(listed(copy.root).values())
    first = files[int(copy.rng.integers(len(files)))]
    rivals = [path for path in files if path.read_bytes() != first.read_bytes()]
    if not rivals:
        return _changed(copy)
    second = rivals[int(copy.rng.integers(len(rivals)))]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    return copy.bundle, copy.trust


def _extra(copy: _Copy) -> tuple[bytes | None, bytes]:
    (copy.victim().parent / f"extra_{int(copy.rng.integers(10**6))}.py").write_bytes(b"planted = True\n")
    return copy.bundle, copy.trust


def _removed(copy: _Copy) -> tuple[bytes | None, bytes]:
    copy.victim().unlink()
    return copy.bundle, copy.trust


def _renamed(copy: _Copy) -> tuple[bytes | None, bytes]:
    path = copy.victim()
    path.rename(path.with_name(f"renamed_{int(copy.rng.integers(10**6))}"))
    return copy.bundle, copy.trust


def _linked(copy: _Copy) -> tuple[bytes | None, bytes]:
    path = copy.victim()
    aside = copy.root.parent / f"aside_{int(copy.rng.integers(10**6))}"
    shutil.move(path, aside)
    path.symlink_to(aside)
    return copy.bundle, copy.trust


def _other_key(copy: _Copy) -> tuple[bytes | None, bytes]:
    return oms.sign_files(listed(copy.root), generate("ecdsa-p256")), copy.trust


def _wrong_role(copy: _Copy) -> tuple[bytes | None, bytes]:
    known = trust_file.add(trust_file.Trust(), copy.signer.public, name="canary", roles=("witness",))
    return copy.bundle, trust_file.write(known)


def _broken_bundle(copy: _Copy) -> tuple[bytes | None, bytes]:
    return copy.bundle[: int(copy.rng.integers(1, len(copy.bundle) - 1))], copy.trust


def _unsigned(copy: _Copy) -> tuple[bytes | None, bytes]:
    return None, copy.trust


KINDS: dict[str, Callable[[_Copy], tuple[bytes | None, bytes]]] = {
    "a changed bit": _changed,
    "a file cut short": _cut,
    "a signature over older bytes": _older,
    "two files swapped": _swapped,
    "a file added": _extra,
    "a file removed": _removed,
    "a file renamed": _renamed,
    "a file replaced by a link": _linked,
    "a signature by another key": _other_key,
    "a key without the role of a signer": _wrong_role,
    "a signature cut short": _broken_bundle,
    "no signature": _unsigned,
}


def run(root: Path, scratch: Path, inspect: Inspect, rng: np.random.Generator, *, kinds: int) -> Canary:
    """Try faults of kinds drawn from the rng, and one good copy before each.

    Args:
        root: The snapshot; only read.
        scratch: An empty folder.
        inspect: The verification under test: folder, bundle and trust file to a code, empty if the signature holds.
        rng: Decides kinds and places; keys are thrown away and leave no trace in the result.
        kinds: How many kinds to try.
    """
    names = [list(KINDS)[at] for at in rng.permutation(len(KINDS))[:kinds].tolist()]
    refused, missed, alarms = 0, [], 0
    signer = generate("ecdsa-p256")
    known = trust_file.add(trust_file.Trust(), signer.public, name="canary", roles=("signer",))
    for position, name in enumerate(names):
        home = scratch / f"canary_{position}"
        copy_root = home / "model"
        _copy_files(root, copy_root)
        bundle = oms.sign_files(listed(copy_root), signer)
        copy = _Copy(copy_root, bundle, trust_file.write(known), signer, rng)
        alarms += inspect(copy_root, bundle, copy.trust) != ""
        changed_bundle, changed_trust = KINDS[name](copy)
        if inspect(copy_root, changed_bundle, changed_trust):
            refused += 1
        else:
            missed.append(name)
        shutil.rmtree(home)
    told = f"Not refused: {', '.join(missed)}." if missed else f"Refused: {', '.join(names)}."
    return Canary(
        kind="a fault planted in a signed copy",
        planted=len(names),
        found=refused,
        clean=len(names),
        false_alarms=int(alarms),
        noticed=not missed and not alarms,
        detail=told,
    )


def _copy_files(root: Path, target: Path) -> None:
    """Copy up to 100 plain files, at most the first 8 MiB of each; anything else is left to the measurement."""
    plain = [path for path in sorted(root.rglob("*")) if _is_plain(root, path)]
    for path in plain[:_MOST_FILES]:
        place = target / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as file:
            place.write_bytes(file.read(_MOST))
    if not plain:
        target.mkdir(parents=True, exist_ok=True)
        (target / "model").write_bytes(b"\0")


def _is_plain(root: Path, path: Path) -> bool:
    try:
        require_name(path.relative_to(root).as_posix())
    except TrustError:
        return False
    return path.is_file() and not path.is_symlink()
