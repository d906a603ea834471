"""Check: the Protocol that every measurement implements, and the context that it is handed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from socket import socket

    import numpy as np

    from fivefold.contract.finding import Result
    from fivefold.contract.guarded import Guarded
    from fivefold.contract.subject import SettingsView, Subject, Table


def _silent(_share: float, _text: str) -> None:
    return None


Without: TypeAlias = Literal["", "landlock", "seccomp", "everything"]
"""Protection that is left out where our own code tries to break out; empty: none."""


class Escapes(Protocol):
    """What came of attempts to break out.

    Attributes:
        worked: Names of those that did.
        refused: Names of those that did not.
        protections: That this machine has.
    """

    @property
    def worked(self) -> tuple[str, ...]:
        """Names of those that did."""
        ...

    @property
    def refused(self) -> tuple[str, ...]:
        """Names of those that did not."""
        ...

    @property
    def protections(self) -> tuple[str, ...]:
        """What this machine has."""
        ...


@dataclass(frozen=True)
class Context:
    """Everything a check may use; it reads nothing else.

    Attributes:
        subject: The model under test; None for checks that look at files only (``needs`` without ``model.predict``).
        tables: Loads a data set by name (``train``, ``test``, ``calibration``); KeyError if it is not declared.
        rng: The only source of randomness, seeded from the plan.
        thresholds: Floor key to value.
        options: Option key to value, defaults filled in.
        rows: Most rows to use; larger sets are sampled.
        settings: The manifest's part.
        effort: ``quick``, ``standard`` or ``thorough``.
        scratch: An empty folder that is deleted afterwards.
        model_root: Folder of the snapshot that was loaded; None if there is no model file.
        signature: Bytes of the model's signature file; None if absent.
        trust: Bytes of the verifier's trust file.
        labels: Data set to the bytes of its signed label; empty bytes where there is none.
        mark: Of the model's marks: form to the bytes of the commitment, ``FORM.proof`` to its proof in the log,
            ``FORM.opening`` to the secret, empty where this user does not have it; only for checks of T3.
        origin: Of the model's provenance: ``statement``, as stored, and ``there``, message pack of what there is of
            what it names; only for checks of T2 that follow it.
        digests: Data set to the SHA-256 of its stored bytes; empty for data in memory.
        now: ISO time in UTC, fixed by the plan's start; trust decisions use it.
        row_id: Turns (n,) row positions into keyed ids, so that no raw position or value is written.
        progress: Call with a share in [0, 1] and a few words.
        uses: Check or technique id to the object that the driver resolved for ``uses``.
        escapes: Has our own code try to break out of the model's confinement, without a protection that is named
            (``landlock``, ``seccomp``, ``everything``; empty: with all); None: nothing confines the model.
        apart: Starts what a pack provides under a name in a process of its own, which may read nothing, and returns the
            connection to it; None: nobody can.
        guarded: The subject, where it is the model behind its guard; None: it is bare.
    """

    subject: Subject | None
    tables: Callable[[str], Table]
    rng: np.random.Generator
    thresholds: Mapping[str, float]
    options: Mapping[str, Any]
    rows: int
    settings: SettingsView
    effort: str = "standard"
    scratch: Path | None = None
    model_root: Path | None = None
    signature: bytes | None = None
    trust: bytes | None = None
    labels: Mapping[str, bytes] = field(default_factory=dict)
    mark: Mapping[str, bytes] = field(default_factory=dict)
    origin: Mapping[str, bytes] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    now: str = ""
    row_id: Callable[[np.ndarray], list[str]] | None = None
    progress: Callable[[float, str], None] = _silent
    uses: Mapping[str, object] = field(default_factory=dict)
    escapes: Callable[[Without], Escapes] | None = None
    guarded: Guarded | None = None
    apart: Callable[[str], socket] | None = None


class Check(Protocol):
    """A measurement: a plain function from context to result."""

    def __call__(self, context: Context) -> Result:
        """Measure, run the canary, judge.

        Raises:
            UnsupportedError: This subject or data cannot be measured: the finding is ``not-run``.
            SubjectError: The model misbehaved: the finding is ``error``.
        """
        ...
