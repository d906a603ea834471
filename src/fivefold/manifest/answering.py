"""Answering: what a user calls the model, in one text, into the entries of ``model:``; nothing is imported or asked."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError
from fivefold.manifest import address

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS = (
    "module:function or module.py:function (a factory), FILE.onnx, http(s)://host/v2/models/NAME, "
    'grpc://host:port/NAME, a file of predictions (.csv, .parquet), or a command such as \'["Rscript", "predict.R"]\''
)
"""What ``--model`` takes, in words."""

_URL = re.compile(r"(https?|grpcs?)://", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_FACTORY = re.compile(r"[\w./\\-]+:[A-Za-z_]\w*")
_CALLS = 5000
"""Budget of calls that is proposed for an endpoint."""
_TABLES = (".csv", ".csv.gz", ".parquet", ".pq", ".arrow", ".feather")
_PICKLES = (
    ".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".bin", ".ckpt", ".sav", ".h5", ".keras", ".rds", ".rdata",
)  # fmt: skip


@dataclass(frozen=True)
class Named:
    """A model as named.

    Attributes:
        entries: Keys of ``model:``.
        reason: Why these, as a sentence; empty where the user said it in so many words.
        files: Keys of ``entries`` that name files which have to lie in the application's folder.
    """

    entries: dict[str, Any]
    reason: str = ""
    files: tuple[str, ...] = ()


def named(text: str) -> Named:
    """Return the entries of ``model:`` for what the user calls the model.

    Raises:
        InputError: ``init.model`` if it is none of the forms, ``init.pickle`` for a file that would have to be run,
            ``init.weights`` for weights without the network that they belong to.
    """
    text = text.strip()
    name = text.lower()
    forms: tuple[tuple[bool, Callable[[str], Named]], ...] = (
        (bool(_URL.match(text)), _endpoint),
        (bool(_SCHEME.match(text)), _unknown),
        (text.startswith("["), _json_command),
        (name.endswith(".onnx"), lambda path: Named({"path": path}, "An ONNX file answers by itself.", ("path",))),
        (name.endswith(".safetensors"), _weights),
        (name.endswith(_PICKLES), _pickle),
        (name.endswith(_TABLES), lambda path: Named({"predictions": path}, "", ("predictions",))),
        (bool(_FACTORY.fullmatch(text)), _factory),
        (" " in text, command),
    )
    return next((make(text) for fits, make in forms if fits), None) or _unknown(text)


def command(text: str) -> Named:
    """Return a command that is written as in a shell; no shell will read it.

    Raises:
        InputError: ``init.model`` if a quote is not closed.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        remedy = 'Close the quote, or write a list: ["Rscript", "predict.R"].'
        raise InputError("init.model", f"the command cannot be read ({error}).", remedy=remedy) from None
    return _command(words)


def _json_command(text: str) -> Named:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        remedy = 'Write a list of texts: ["Rscript", "predict.R"].'
        raise InputError("init.model", "the command is no list of texts.", remedy=remedy)
    return _command(words)


def _command(words: list[str]) -> Named:
    if not words or not words[0]:
        raise InputError("init.model", "the command is empty.", remedy="Name a program and its arguments.")
    said = "A command: it reads CSV with a header on standard input and writes a CSV of predictions; no shell is used."
    return Named({"command": words}, said)


def _endpoint(text: str) -> Named:
    try:
        where = address.parse(text)
    except InputError as error:
        raise InputError("init.model", error.message, remedy=error.remedy) from None
    said = (
        "An endpoint of the Open Inference Protocol v2. `calls:` is the most that a whole run asks it; "
        "a token and tighter limits go into site.yaml."
    )
    if not where.tls and not where.own:
        said += (
            " The connection is not encrypted, so it is refused: use https:// or grpcs://, or write `plain: true` "
            "for a network that you trust."
        )
    return Named({"endpoint": text, "calls": _CALLS}, said)


def _factory(text: str) -> Named:
    module, _, function = text.rpartition(":")
    if module.endswith(".py"):
        module = ".".join(PurePosixPath(module.removesuffix(".py").replace("\\", "/")).parts)
    return Named({"factory": f"{module}:{function}"})


def _weights(text: str) -> Named:
    remedy = f"Name the function that builds the network beside it: --model module:function --model-path {text}."
    raise InputError("init.weights", "weights alone do not say what network they belong to.", remedy=remedy)


def _pickle(text: str) -> Named:
    remedy = f"Export it once, where it was trained: fivefold model convert {shlex.quote(text)} says how."
    raise InputError("init.pickle", f"{text} could only be read by running what stands in it.", remedy=remedy)


def _unknown(text: str) -> Named:
    raise InputError("init.model", f'"{text[:80]}" is no model that we know.', remedy=f"Write {FORMS}.")
