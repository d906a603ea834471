"""Messages: what parent, fork server, check process and model process say to each other, and the jobs they carry."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from fivefold.contract.check import Without
from fivefold.contract.plan import ModelFact
from fivefold.manifest.address import Address
from fivefold.manifest.nouns import DataSet, Feature, Model
from fivefold.subject.worker.tree_messages import Look, Looked
from fivefold.subject.worker.weight_messages import Alter, Tune, Tuned, Weigh, Weighed


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """A tagged message."""


class Confinement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one process may touch.

    Attributes:
        read, scratch, file_bytes: What it may read; the folder that it may write, and its largest file.
        foreign: It runs foreign code: it may not change modes, owners and times of files either.
        port, write: TCP port that it may connect to (0: it has no network); files beside the folder that it may write.
        execute: Programs, and folders of programs, that it may start; empty: none, and no other process either.
    """

    read: tuple[str, ...]
    scratch: str
    file_bytes: int
    foreign: bool
    port: int = 0
    write: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()


class ModelJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model process: where the snapshot is and what to call in it.

    Attributes:
        folder: The snapshot's folder; current folder and first on the import path.
        target: ``module:function``.
        training: ``target`` trains (``fit(table, rng)``) instead of loading.
        seed: Of the global random generators.
        onnx: Path of an ONNX file in ``folder`` that is the model; then ``target`` is empty.
        weights: Path of a safetensors file in ``folder``, for a torch module that the factory makes.
    """

    folder: str
    target: str
    training: bool
    seed: int
    confinement: Confinement
    onnx: str = ""
    weights: str = ""


class Purse(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a process may spend that asks a model elsewhere; see :class:`fivefold.subject.calls.Ledger`.

    Attributes:
        ledger: The file in which calls are written down.
        who: Check id, or ``probe``.
        total: Most calls of the run; 0: no limit.
        share: Of this check.
        reserve: For all checks together, beyond their shares.
        given_up: The file that says whether the endpoint answers nobody.
        turns: The file that says when the next call may be made.
    """

    ledger: str
    who: str
    total: int = 0
    share: int = 0
    reserve: int = 0
    given_up: str = ""
    turns: str = ""


class EndpointJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An endpoint process: our own code, which speaks to one host and port.

    Attributes:
        address: The endpoint.
        addresses: What its host stands for, looked up and checked.
        token: Bearer token; empty: none.
        authorities: PEM text of the only authorities that count; empty: those of the system.
        rate: Most calls a second; 0: no limit.
        seconds: Longest that one call may take.
        waiting: Longest that may be waited in all.
        seed: Of the jitter.
        learned: How it is asked, as the probe found (message pack); empty: not known yet.
    """

    address: Address
    addresses: tuple[str, ...]
    confinement: Confinement
    purse: Purse
    token: str = ""
    authorities: str = ""
    rate: float = 0.0
    seconds: float = 60.0
    waiting: float = 60.0
    seed: int = 0
    learned: bytes = b""


class CommandJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command process: starts the application's program for each question.

    Attributes:
        folder: The snapshot's folder, current folder of the program.
        command: Program (absolute) and arguments.
        purse: What may be spent: one call is one start.
        seconds: Longest that one start may take.
        identity: Digest of the program.
        learned: What it answers, as the probe found (message pack); empty: not known yet.
    """

    folder: str
    command: tuple[str, ...]
    confinement: Confinement
    purse: Purse
    seconds: float = 60.0
    identity: str = ""
    learned: bytes = b""


class CheckJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A check process: one check, or the probe.

    Attributes:
        check, root: Check id (empty: read the facts); the application's folder.
        fact: What probing the model showed; None for the probe itself.
        seen: What the model sees of the training data, column name to kind.
        seed, training: Of the check (for the probe the model's digest); ``module:function`` that trains, or empty.
        model_root: Folder with the signed files alone; empty: there are none.
        row_key, labels, mark, origin: Key of row ids; data set to its signed label; the model's marks and provenance.
        level, use, scenario, known: As declared (the last but one is a profile's name); what predicates may ask.
        planned: Check id to floor key to the threshold in force.
        asks, found: The check asks the model; of one that lives elsewhere what the probe found (message pack).
        calls, share: Budget of calls of the run (0: none), and this check's part.
        asked: Message pack of batches that the model is asked, instead of a check; empty: there are none.
        wayfinding, taking: Find out how the model is asked; run what a pack provides by this name: instead of a check.
        guarded: Who asks behind the guard (see :class:`fivefold.contract.plan.CheckPlan`); empty: the model is bare.
    """

    check: str
    root: str
    sets: dict[str, DataSet]
    features: dict[str, Feature]
    digests: dict[str, str]
    confinement: Confinement
    model: Model | None = None
    training: str = ""
    scenarios: dict[str, str] = {}
    controls: dict[str, dict[str, Any]] = {}
    fact: ModelFact | None = None
    seen: dict[str, str] = {}
    seed: str = ""
    effort: str = "standard"
    rows: int = 0
    thresholds: dict[str, float] = {}
    options: dict[str, Any] = {}
    model_root: str = ""
    signature: bytes | None = None
    trust: bytes | None = None
    labels: dict[str, bytes] = {}
    mark: dict[str, bytes] = {}
    origin: dict[str, bytes] = {}
    now: str = ""
    row_key: bytes = b""
    level: int = 0
    use: dict[str, Any] = {}
    scenario: str = ""
    known: dict[str, str | int | float | bool | None] = {}
    planned: dict[str, dict[str, float]] = {}
    asks: bool = True
    found: bytes = b""
    calls: int = 0
    share: int = 0
    asked: bytes = b""
    wayfinding: bool = False
    taking: str = ""
    guarded: str = ""


# parent -> fork server


class Preload(_Message, frozen=True):
    """Import engines and the code of checks, so that every later child has them."""

    modules: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


class Spawn(_Message, frozen=True):
    """Fork a child; the socket that it speaks over comes with the message."""

    token: int
    kind: Literal["check", "model", "endpoint", "command", "battery", "lesson"]
    job: bytes


class Kill(_Message, frozen=True):
    """End a child, if it still lives."""

    token: int


ToServer = Preload | Spawn | Kill


# fork server -> parent
class Hello(_Message, frozen=True):
    """The server is ready: which protections the kernel has, which engines are missing, its resident size."""

    protections: tuple[str, ...]
    missing: tuple[str, ...]
    resident: int


class Spawned(_Message, frozen=True):
    """A child lives."""

    token: int
    pid: int


class Exited(_Message, frozen=True):
    """A child ended with this wait status."""

    token: int
    status: int


FromServer = Hello | Spawned | Exited


# check process -> parent


class Progress(_Message, frozen=True):
    """How far a check is."""

    share: float
    text: str


class WantModel(_Message, frozen=True):
    """Start a model process, for answering or for training; ``guarded``: one with the application's guard before it."""

    training: bool = False
    guarded: bool = False


class WantBattery(_Message, frozen=True):
    """Have our own code try to break out (the answer is :class:`Tried`, over its socket), or run what is provided."""

    without: Without = ""
    provided: str = ""


class Done(_Message, frozen=True):
    """The result (of a check) or the facts (of the probe), as message pack; ``found`` as in :class:`CheckJob`."""

    body: bytes
    notes: tuple[str, ...] = ()
    found: bytes = b""


class Failed(_Message, frozen=True):
    """It came to nothing.

    Attributes:
        kind: ``import`` and ``unsupported`` make the check not-run; ``input`` is the user's to mend; the others are
            errors of the subject or of ours.
        note: For the screen only; may quote data, so it is never sealed.
    """

    kind: Literal["import", "unsupported", "subject", "input", "internal"]
    code: str
    message: str
    remedy: str = ""
    where: str = ""
    note: str = ""


FromCheck = Progress | WantModel | WantBattery | Done | Failed


# parent -> check process
class ModelHere(_Message, frozen=True):
    """A model process was started; its socket comes with the message."""


class Refused(_Message, frozen=True):
    """No model process is started."""

    reason: str


ToCheck = ModelHere | Refused


# check process -> model process
class Describe(_Message, frozen=True):
    """What does the model say of itself?"""


class Ask(_Message, frozen=True):
    """Answer for these rows (message pack of a batch); ``also`` by further methods, each as if asked by itself."""

    method: Literal["predict", "predict_proba", "call"]
    form: Literal["frame", "matrix"]
    batch: bytes
    also: tuple[Literal["predict", "predict_proba", "call"], ...] = ()


class Slope(_Message, frozen=True):
    """Give the loss of each row of a batch, and its gradient.

    Attributes:
        batch, target: Message packs of a batch, and of a tensor: class indices, or values.
        loss: Which.
        order, linked: Class index of each output, and whether the outputs are logits.
    """

    batch: bytes
    target: bytes
    loss: Literal["cross-entropy", "margin", "dlr", "squared"]
    order: tuple[int, ...]
    linked: bool


class Learn(_Message, frozen=True):
    """Find out how a model that lives elsewhere is asked, with these rows (message pack of a batch)."""

    batch: bytes


class Fit(_Message, frozen=True):
    """Train on these rows (a batch with the target as last column) and be the model from then on."""

    batch: bytes
    target: str
    seed: int


ToModel = Describe | Ask | Fit | Learn | Slope | Weigh | Alter | Tune | Look


class Described(_Message, frozen=True):
    """What the model says of itself (message pack of a description)."""

    body: bytes


class Answered(_Message, frozen=True):
    """Raw answers (message pack of a tensor), the calls that they cost, and the answers of further methods."""

    body: bytes
    calls: int = 0
    more: tuple[bytes, ...] = ()


class Learnt(_Message, frozen=True):
    """How it is asked (message pack), and the calls that it took to find out."""

    body: bytes
    calls: int = 0


class Sloped(_Message, frozen=True):
    """Losses and gradients (message pack of tensors)."""

    losses: bytes
    slopes: bytes


class Fitted(_Message, frozen=True):
    """The training is done."""


class Broken(_Message, frozen=True):
    """The model failed; the text is ours, the note the foreign one."""

    code: str
    message: str
    remedy: str = ""
    note: str = ""
    calls: int = 0


FromModel = Described | Answered | Fitted | Learnt | Sloped | Weighed | Tuned | Looked | Broken
