"""Schema: every key of ``fivefold.yaml``, its type and one line of help; reader and docs follow this table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal[
    "text", "label", "labels", "columns", "flag", "integer", "number", "range", "choice", "path", "paths", "factory",
    "section", "named", "list", "any", "predictions", "later", "words", "url",
]  # fmt: skip
"""What a field holds: ``label`` is any scalar as text, ``section`` has fixed keys, ``named`` free keys of one shape,
``later`` a legal key that this version cannot use yet, ``words`` a program and its arguments."""


@dataclass(frozen=True)
class Field:
    """One key of the manifest.

    Attributes:
        kind: What stands there.
        help: One line.
        required: Must be given.
        choices: Allowed texts, for ``choice`` and for the keys of ``named``.
        low: Smallest number.
        high: Largest number.
        pattern: Regular expression that a text or the keys of ``named`` must match in full.
        shape: That pattern in words.
        fields: Keys of a ``section``.
        each: Shape of the elements of ``list`` and ``named``.
    """

    kind: Kind
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    pattern: str = ""
    shape: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    each: Field | None = None


OUTPUTS = ("statistic", "label", "score", "forecast", "recommendation", "decision", "action")
WITHIN = ("seconds", "minutes", "days")
PARTIES = ("deployer", "application-developer", "provider", "data-collector", "customer", "lawmaker")
SHARING = ("release", "training", "federated", "encrypted", "telemetry", "edge")
SCORES = ("probabilities", "logits", "labels", "values")
SETS = ("train", "calibration", "test")
RESERVED = ("evidence", "record", "keys")
"""Folders of the application that hold Fivefold's own output; nothing declared may lie in them."""

_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_NAME_WORDS = "letters, digits, '.', '_' and '-', at most 64, starting with a letter or digit"

_LABEL = Field(
    "section",
    "What may be done with the data.",
    fields={
        "class": Field("text", "Classification, for example public, internal, confidential."),
        "personal": Field("columns", "Columns that describe persons."),
        "basis": Field("text", "Lawful ground, for example consent or contract."),
        "purpose": Field("labels", "Purposes that the data may serve."),
        "region": Field("text", "Where the data must stay."),
        "retain": Field("text", "How long they are kept.", pattern=r"\d{1,4}[dwmy]", shape="a number and d, w, m or y"),
    },
)

_DATA = Field(
    "section",
    "One data set.",
    fields={
        "path": Field(
            "path",
            "CSV (also .gz), Parquet or Arrow file; images: npz; recordings: folder of wav files.",
            required=True,
        ),
        "kind": Field(
            "choice", "What one row is; table if absent.", choices=("table", "image", "series", "text", "audio")
        ),
        "input": Field("label", "What the model sees: array of an npz, column of texts, column that names the wav."),
        "index": Field("path", "Table with one line for each row, beside images, series or recordings."),
        "time": Field("label", "Series: the column that orders the lines of one id."),
        "target": Field("label", "Column with the true answer; taken from train where it is not given."),
        "positive": Field("label", "Label of the favourable class."),
        "alarm": Field("label", "Label of the class to detect."),
        "drop": Field("columns", "Columns that the model never sees."),
        "protected": Field("columns", "Columns of the groups between which gaps are measured."),
        "id": Field("label", "Column that names a row; the model never sees it."),
        "source": Field("text", "Party or system that the data come from."),
        "label": _LABEL,
        "missing": Field("labels", "Texts that mean a missing value, besides the empty cell."),
        "pairs": Field("flag", "Each row compares two things (two faces, two voices); false by default."),
        "reasons": Field("flag", "Each line ranks an expert's reasons for one test row's answer; false by default."),
    },
)

_SHARING = Field(
    "section",
    "One path on which data leave a party.",
    fields={
        "what": Field("choice", "How the data leave.", required=True, choices=SHARING),
        "data": Field("text", "Name of the data set.", required=True),
        "with": Field("text", "Who receives it."),
        "control": Field("text", "Technique that protects the path, for example S2."),
    },
)

_FEATURE = Field(
    "section",
    "What is known of one feature.",
    fields={
        "type": Field("choice", "Type.", choices=("number", "integer", "boolean", "string", "date")),
        "range": Field("range", "Smallest and largest value."),
        "immutable": Field("flag", "A person cannot change it."),
        "unit": Field("text", "Unit."),
        "cost": Field("number", "How hard it is to change, 1 by default.", low=0),
        "changes": Field("choice", "People can only raise it (up) or lower it (down).", choices=("up", "down")),
        "monotone": Field("choice", "The score only rises (up) or falls (down) with it.", choices=("up", "down")),
    },
)

_MODEL = Field(
    "section",
    "The model: a factory, an ONNX file, an endpoint, a command, or a file of predictions.",
    fields={
        "factory": Field("factory", "module:function in this folder; called without arguments it returns the model."),
        "path": Field("path", "File or folder that the factory loads; without a factory an ONNX file. It is signed."),
        "files": Field("paths", "Further files that are signed with it."),
        "signature": Field("path", "OpenSSF model-signing bundle."),
        "predictions": Field("predictions", "File of predictions, or a file per data set."),
        "output": Field("choice", "What the raw scores are; seen if absent.", choices=SCORES),
        "classes": Field("labels", "Labels in the order of the probability columns or of integer answers."),
        "task": Field("choice", "Read from the model if absent.", choices=("binary", "multiclass", "regression")),
        "version": Field("integer", "Only grows.", low=1),
        "endpoint": Field("url", "http(s)://host/v2/models/NAME or grpc(s)://host:port/NAME, Open Inference Protocol."),
        "private": Field("flag", "The endpoint's host may have an address of a private network; false by default."),
        "plain": Field("flag", "Rows may travel unencrypted (http, grpc) to another machine; false by default."),
        "command": Field("words", "Program and arguments; reads a CSV of rows, writes a CSV of predictions."),
        "calls": Field("integer", "Most calls of the endpoint or command in a whole run; no limit if absent.", low=20),
    },
)  # fmt: skip

MANIFEST = Field(
    "section",
    "The manifest.",
    fields={
        "fivefold": Field("integer", "Version of this format.", low=1),
        "application": Field(
            "section",
            "What is assessed.",
            required=True,
            fields={
                "id": Field("text", "Name of the application.", required=True, pattern=_NAME, shape=_NAME_WORDS),
                "level": Field("integer", "Declared capability level.", required=True, low=1, high=5),
                "purpose": Field("text", "What it is for, in a sentence."),
                "scenario": Field("text", "Scenario profile, for example finance."),
            },
        ),
        "use": Field(
            "section",
            "How its output is used.",
            required=True,
            fields={
                "output": Field("choice", "What the output is.", required=True, choices=OUTPUTS),
                "acts": Field("choice", "Who acts on it.", choices=("human", "system", "nobody")),
                "alone": Field("flag", "Whether it acts without a person."),
                "reversible": Field("flag", "Whether what is done on it can be undone; true by default."),
                "within": Field("choice", "How soon something is done on it; days by default.", choices=WITHIN),
            },
        ),
        "benefit": Field(
            "section",
            "How its benefit is measured.",
            fields={
                "measure": Field("text", "What is measured.", required=True),
                "target": Field("number", "Value to reach."),
                "unit": Field("text", "Unit."),
            },
        ),
        "purposes": Field("labels", "Purposes that the application serves."),
        "parties": Field("named", "Who plays which role.", choices=PARTIES, each=Field("text", "Name of the party.")),
        "data": Field("named", "Data sets by name.", required=True, pattern=_NAME, shape=_NAME_WORDS, each=_DATA),
        "sharing": Field("list", "Paths on which data leave a party.", each=_SHARING),
        "features": Field("named", "What is known of each feature, by column.", each=_FEATURE),
        "training": Field(
            "section",
            "How the model is trained.",
            fields={"factory": Field("factory", "module:function; fit(data, rng) returns a model.", required=True)},
        ),
        "model": _MODEL,
        "scenarios": Field(
            "named", "Parts of the data by an expression.", pattern=r"\w[\w .-]{0,63}",
            shape="letters, digits, spaces, '.', '_' and '-', at most 64",
            each=Field("text", 'Expression, for example "age < 25".'),
        ),
        "controls": Field(
            "named", "Options of controls, by technique.",
            each=Field("named", "Options.", each=Field("any", "Value.")),
        ),
        "checks": Field(
            "named", "Options of checks, by check or technique; thresholds may be tightened, never loosened.",
            each=Field("named", "Options.", each=Field("any", "Value.")),
        ),
        "packs": Field("list", "Third-party packs.", each=Field("any", "Name and digest of a pack.")),
    },
)  # fmt: skip
