"""Manifest: the frozen value that the reader makes of ``fivefold.yaml``.

Paths in it are relative to the manifest's folder, checked, and never leave it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

Output = Literal["statistic", "label", "score", "forecast", "recommendation", "decision", "action"]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """Who is assessed: id, declared level (1 to 5), purpose and scenario profile."""

    id: str
    level: int
    purpose: str = ""
    scenario: str = ""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How the output is used: see :class:`fivefold.catalogue.classify.Answers`."""

    output: Output
    acts: Literal["human", "system", "nobody"] = "human"
    alone: bool = False
    reversible: bool = True
    within: Literal["seconds", "minutes", "days"] = "days"


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """One declared data set.

    Attributes:
        name: Key under ``data:``, for example ``train``.
        path: Relative POSIX path. Tables, texts and long series: CSV (also ``.gz``), Parquet or Arrow. Images and
            series as arrays: npz without objects. Audio: a folder of wav files.
        kind: What one row is.
        input: What the model sees: the array of an npz (empty: the only one of as many dimensions), the column of
            texts (empty: the only one that is left), or the column of an index that names the wav file.
        index: Images, series, audio: table with one line per row (target, protected columns, file names); empty:
            none, or the one in the folder of recordings.
        time: Long series: the column that orders the rows of one ``id``.
        target: Name of the target column; empty: none. Falls back to the one of ``train``.
        positive: Label (as text) of the favourable class; None: not declared.
        alarm: Label (as text) of the class to detect; None: not declared.
        drop: Columns that the model never sees (they may still be protected or in scenarios).
        protected: Protected columns.
        id: Column that identifies a row; never shown to the model; empty: none.
        source: Party or system that the data come from.
        label: Class, personal columns, basis, purpose, region, retention, as written.
        missing: Texts that mean a missing value besides the empty cell, for example ``["?"]``.
        pairs: Whether each row compares two things, and its target says whether they are the same.
        reasons: Whether each line ranks an expert's reasons for the answer to the test row that ``id`` names; such a
            set has columns of its own and no target.
    """

    name: str
    path: str
    kind: Literal["table", "image", "series", "text", "audio"] = "table"
    input: str = ""
    index: str = ""
    time: str = ""
    target: str = ""
    positive: str | None = None
    alarm: str | None = None
    drop: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    id: str = ""
    source: str = ""
    label: dict[str, Any] = {}
    missing: tuple[str, ...] = ()
    pairs: bool = False
    reasons: bool = False


class SharingPath(msgspec.Struct, frozen=True, kw_only=True):
    """One declared path on which data leave a party, and the technique that protects it."""

    what: Literal["release", "training", "federated", "encrypted", "telemetry", "edge"]
    data: str
    to: str = ""
    control: str = ""


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """What is declared of one feature."""

    type: Literal["number", "integer", "boolean", "string", "date"] | None = None
    range: tuple[float, float] | None = None
    immutable: bool = False
    unit: str = ""
    cost: float = 1.0
    monotone: Literal["up", "down"] | None = None
    changes: Literal["up", "down"] | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The model as declared: a factory, an ONNX file, an endpoint, a command or predictions; exactly one of them.

    Attributes:
        factory: ``module:function`` in the manifest's folder; the call without arguments returns the model. If that is
            a torch module and ``path`` ends in ``.safetensors``, its weights are read from there.
        path: Model file or folder that the factory loads; belongs to the signed set. Without a factory: an ONNX file.
        endpoint: ``http(s)://host/v2/models/name`` or ``grpc(s)://host:port/name`` (Open Inference Protocol v2).
        private: The endpoint's host name may stand for an address of a private network.
        plain: Rows and answers may travel unencrypted to another machine.
        calls: Most calls of the endpoint or command in a whole run; 0: no limit.
        command: Program and arguments; reads CSV with a header on its standard input, writes a CSV of predictions.
        output: What the raw scores are; empty: seen from the answers.
        files: Further files of the signed set, for example helper modules.
        signature: OpenSSF model-signing bundle; empty: unsigned.
        predictions: Data-set name to file of predictions.
        classes: Labels in the order of the probability columns or of integer answers; empty: probed.
        task: Empty: probed.
        version: Integer that only grows.
    """

    factory: str = ""
    path: str = ""
    files: tuple[str, ...] = ()
    signature: str = ""
    predictions: dict[str, str] = {}
    endpoint: str = ""
    private: bool = False
    plain: bool = False
    calls: int = 0
    command: tuple[str, ...] = ()
    output: Literal["", "probabilities", "logits", "labels", "values"] = ""
    classes: tuple[str, ...] = ()
    task: Literal["", "binary", "multiclass", "regression"] = ""
    version: int = 1

    @property
    def onnx(self) -> str:
        """The ONNX file that is the model by itself; empty: there is none."""
        other = self.factory or self.endpoint or self.command or self.predictions
        return self.path if is_onnx(self.path) and not other else ""


def is_onnx(path: str) -> bool:
    """Return whether a name is that of an ONNX file."""
    return path.lower().endswith(".onnx")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ``fivefold.yaml`` declares, validated.

    Attributes:
        root: Folder of the manifest, absolute.
        file: The manifest file, absolute.
        raw: The very bytes that were read.
        digest: SHA-256 of ``raw``.
        lines: Dotted field path to its line, for errors found later.
        training: ``module:function``; the call ``fit(table, rng)`` returns a model; empty: cannot retrain.
        checks: Check or technique id to option values.
        controls: Technique id to option values.
        packs: Third-party packs as written; none is loaded in this version.
    """

    root: Path
    file: Path
    raw: bytes
    digest: str
    application: Application
    use: Use
    data: dict[str, DataSet]
    model: Model | None = None
    training: str = ""
    sharing: tuple[SharingPath, ...] = ()
    parties: dict[str, str] = {}
    purposes: tuple[str, ...] = ()
    benefit: dict[str, Any] = {}
    features: dict[str, Feature] = {}
    scenarios: dict[str, str] = {}
    controls: dict[str, dict[str, Any]] = {}
    checks: dict[str, dict[str, Any]] = {}
    packs: tuple[Any, ...] = ()
    lines: dict[str, int] = {}
