"""Opening: what must be declared and signed before a model is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fivefold.contract.registry import provided
from fivefold.errors import InputError, TrustError
from fivefold.keys import store as keys

if TYPE_CHECKING:
    from fivefold.contract.plan import Facts
    from fivefold.guard.memory import Memory
    from fivefold.guard.nouns import Answering
    from fivefold.manifest.nouns import Manifest
    from fivefold.subject.snapshot import Snapshot


_LEARNT = ("train", "calibration")


@dataclass(frozen=True)
class Opened:
    """An application whose model runs already, for a guard that an assessment asks and nobody else.

    Attributes:
        manifest: What is enforced.
        isolated: Its model.
        facts: Of the probe.
        model: Digest of the model.
        identity: By whom it was signed, in words.
        secret: See :func:`fivefold.guard.chain.build`.
    """

    manifest: Manifest
    isolated: Answering
    facts: Facts
    model: str
    identity: str
    secret: bytes


class Unwatched:
    """Files that nobody watches: they are a copy.

    Attributes:
        why: Never told.
    """

    why = ""

    def changed(self) -> bool:
        """Return False."""
        return False


def require_declared(manifest: Manifest) -> None:
    """Refuse an application that does not say what it is for.

    Raises:
        InputError: ``guard.undeclared``; ``guard.model`` for a model that can be neither run nor asked.
    """
    train = manifest.data.get("train")
    personal = bool(train and train.label.get("personal"))
    lacking = [
        (not manifest.purposes, "purposes", "what the application may be used for"),
        (not manifest.benefit, "benefit", "what good it shall do, and how much"),
        (personal and not (train and train.label.get("basis")), "data.train.label.basis", "the lawful ground"),
    ]
    for lacks, field, what in lacking:
        if lacks:
            raise InputError(
                "guard.undeclared",
                f"{field} is not declared: {what}.",
                where=str(manifest.file),
                remedy="Declare it in the manifest; nothing is served before.",
            )
    model = manifest.model
    if model is None or not (model.factory or model.onnx or model.endpoint):
        raise InputError(
            "guard.model",
            "the model can be neither run nor asked.",
            remedy="Name a factory, an ONNX file or an endpoint in the manifest.",
        )


def require_labels(manifest: Manifest, *, served: bool) -> None:
    """Refuse to serve a model whose data's labels do not allow its purposes, or the regions of service and callers.

    Only declared purposes are let in later on, so what is asked of the labels here holds for every request.

    Args:
        manifest: What is enforced; without a control T1 nothing is asked.
        served: Whether callers are let in; in an assessment the label's own check tells.

    Raises:
        TrustError: As :func:`fivefold.traceability.labels.enforcing.enforce`; ``label.purpose`` where the control
            names fewer purposes than the application.
    """
    if not served or "T1" not in manifest.controls:
        return
    named = manifest.controls["T1"].get("purposes") or manifest.purposes
    beyond = [purpose for purpose in manifest.purposes if purpose not in named]
    if beyond:
        raise TrustError(
            "label.purpose", f"{beyond[0][:60]!r} is served and is not among controls.T1.purposes.",
            remedy="Name it there, too, or serve it no more.",
        )  # fmt: skip
    provided("labels.enforce")(manifest, "guard serve", [name for name in _LEARNT if name in manifest.data])


def signed(snapshot: Snapshot, trust: bytes | None = None) -> str:
    """Return by whom the model was signed, in words.

    Args:
        snapshot: The copy that is loaded.
        trust: Bytes of the trust file; None: this user's.

    Raises:
        TrustError: ``guard.unsigned``.
    """
    if not snapshot.files:
        raise TrustError("guard.unsigned", "the model has no files that could be signed.")
    known = keys.read_trust() if trust is None else trust
    seen = provided("signature.inspect")(snapshot.signed, snapshot.signature, known, keys.utc_now())
    if seen.code:
        raise TrustError("guard.unsigned", f"{seen.text}.", remedy=seen.remedy)
    return str(seen.text)


def admitted(snapshot: Snapshot, memory: Memory, trust: bytes | None = None) -> str:
    """Return by whom a model was signed that may be served, in words: at the start, and when it is loaded again.

    Args:
        snapshot: The copy that is loaded.
        memory: What was served before.
        trust: As for :func:`signed`.

    Raises:
        TrustError: ``guard.unsigned``, ``guard.rolled-back``, ``guard.same-version``.
    """
    identity = signed(snapshot, trust)
    memory.require_newest(snapshot.digest)
    return identity
