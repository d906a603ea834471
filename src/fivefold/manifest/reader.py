"""Reader: ``fivefold.yaml`` into a :class:`Manifest`, or all its faults at once with file, line, field and remedy."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fivefold.catalogue.profiles import NAMES as PROFILES
from fivefold.errors import InputError, ProblemsError
from fivefold.manifest import inputs
from fivefold.manifest.columns import check_columns, check_features
from fivefold.manifest.forms import check_form
from fivefold.manifest.nouns import Application, DataSet, Feature, Manifest, Model, SharingPath, Use, is_onnx
from fivefold.manifest.options import check_options
from fivefold.manifest.places import check_command, check_factory, check_path
from fivefold.manifest.schema import MANIFEST, SETS
from fivefold.manifest.tree import MAX_BYTES, Node, grow
from fivefold.manifest.walk import Enough, Walk, nearest, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "fivefold.yaml"
"""Name of the manifest in its folder."""

VERSION = 1
"""Newest version of the format that this reader knows."""

_FORM = ("kind", "input", "time")
_INHERITED = (*_FORM, "target", "positive", "alarm", "drop", "protected", "id", "missing", "pairs")
_OF_REASONS: tuple[str, ...] = ("id", "missing")
"""What a set of ranked reasons takes over: it has columns of its own."""


def read(path: Path, *, may_lack: frozenset[str] = frozenset()) -> Manifest:
    """Read and check a manifest; nothing that it names is imported or run.

    Args:
        path: The application's folder, or the manifest file.
        may_lack: Dotted fields whose file need not exist yet, for example ``model.signature``.

    Returns:
        The manifest; settings of ``train`` (target, labels, drop, protected, id, missing, pairs) are filled in where
        another data set does not give its own.

    Raises:
        InputError: ``manifest.not-found`` or ``manifest.unreadable``.
        ProblemsError: All faults at once, in file order.
    """
    file, raw = _load(Path(path))
    root = file.parent.resolve()
    node, problems = grow(raw, str(file))
    walk = Walk(str(file), problems=list(problems))
    document: dict[str, Any] = {}
    with suppress(Enough):
        if node is not None and (node.fields is not None or not problems):
            document = _document(walk, node)
            _check(walk, root, document, may_lack)
        elif not problems:
            walk.report("empty", "", "the file is empty.", "Run `fivefold init` to propose a manifest.")
    if walk.problems:
        raise ProblemsError(tuple(sorted(walk.problems, key=lambda problem: int(problem.where.rpartition(":")[2]))))
    return _build(walk, root, file, raw, document)


def _load(path: Path) -> tuple[Path, bytes]:
    remedy = "Name a folder that holds fivefold.yaml; `fivefold init FOLDER` proposes one."
    try:
        file = path / FILE if path.is_dir() else path
        if not file.is_file():
            kind = "is not a file" if file.exists() else "does not exist"
            raise InputError("manifest.not-found", f"{file} {kind}.", remedy=remedy)
        with file.open("rb") as stream:
            return file, stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        raise InputError("manifest.unreadable", f"{path} cannot be read ({reason}).", remedy=remedy) from None


def _document(walk: Walk, node: Node) -> dict[str, Any]:
    document = walk.read(node, MANIFEST, "")
    return document if isinstance(document, dict) else {}


def _check(walk: Walk, root: Path, document: dict[str, Any], may_lack: frozenset[str]) -> None:
    if document.get("fivefold", VERSION) > VERSION:
        message = f"version {document['fivefold']} is newer than this program reads ({VERSION})."
        walk.report("version", "fivefold", message, "Install a newer Fivefold.")
    places = {
        place: check_path(walk, root, place, text, may_lack=place in may_lack) for place, text in walk.paths.items()
    }
    for place, text in walk.factories.items():
        check_factory(walk, root, place, text)
    check_command(walk, root, (document.get("model") or {}).get("command", ()))
    _check_data(walk, document, places)
    _check_model(walk, document)
    _check_sharing(walk, document)
    _check_trusted(walk, document)
    _check_scenario(walk, document)
    check_options(walk, root, document)


def _check_data(walk: Walk, document: dict[str, Any], places: Mapping[str, Path | None]) -> None:
    sets: dict[str, dict[str, Any]] = document.get("data") or {}
    columns: dict[str, tuple[str, ...]] = {}
    for name, data in sets.items():
        close = nearest(name, SETS)
        if name not in SETS and close and close not in sets:
            walk.report(
                "unknown-key", f"data.{name}", f'"{name}" is not a data set we measure.', f'Did you mean "{close}"?'
            )
        for field in () if data.get("reasons") else _FORM:
            if field in sets.get("train", {}):
                data.setdefault(field, sets["train"][field])
        check_form(walk, name, data, sets.get("train", {}))
        found = _header(walk, name, data, places)
        if found is not None:
            columns[name] = found
    _check_same(walk, places)
    for name, data in sets.items():
        inherit(data, sets.get("train", {}), columns.get(name), strict=name == "test")
        _check_roles(walk, name, data)
        if name in columns:
            check_columns(walk, name, data, columns[name])
    check_features(walk, document, columns)


def _header(
    walk: Walk, name: str, data: Mapping[str, Any], places: Mapping[str, Path | None]
) -> tuple[str, ...] | None:
    place = f"data.{name}.path"
    path, index = places.get(place), places.get(f"data.{name}.index")
    if path is None or ("index" in data and index is None):
        return None
    try:
        return inputs.names(path, index, data)
    except InputError as error:
        walk.report(error.code.partition(".")[2], place, error.message, error.remedy)
        return None


def _check_same(walk: Walk, places: Mapping[str, Path | None]) -> None:
    train, test = places.get("data.train.path"), places.get("data.test.path")
    if train is not None and train == test and places.get("data.train.index") == places.get("data.test.index"):
        remedy = "Keep rows apart that the model has not seen: `fivefold init --split 0.3` makes two files."
        walk.report("same-file", "data.test.path", "train and test are the same file.", remedy)


def inherit(data: dict[str, Any], train: Mapping[str, Any], columns: tuple[str, ...] | None, *, strict: bool) -> None:
    """Fill in what a data set takes from ``train``.

    Args:
        data: The declaration, changed in place.
        train: The declaration of ``train``.
        columns: Columns of the stored file; None if they could not be read here.
        strict: Take protected columns and the target also where the data lack them, so that the lack is reported.
    """
    for field in _OF_REASONS if data.get("reasons") else _INHERITED:
        if field in data or field not in train:
            continue
        value = train[field]
        if columns is not None and field in ("drop", "protected"):
            value = tuple(name for name in value if name in columns or (strict and field == "protected"))
        if (
            columns is not None
            and field in ("target", "id")
            and value not in columns
            and not (strict and field == "target")
        ):
            continue
        data[field] = value


def _check_roles(walk: Walk, name: str, data: Mapping[str, Any]) -> None:
    target = data.get("target")
    for field in ("drop", "protected"):
        place = f"data.{name}.{field}"
        if target and target in data.get(field, ()) and (place in walk.lines or f"data.{name}.target" in walk.lines):
            walk.report("role", place, f'"{target}" is the target.', f"Take it out of `{field}`.")
    if target and target == data.get("id") and f"data.{name}.id" in walk.lines:
        walk.report("role", f"data.{name}.id", f'"{target}" is the target.', "Name another column as `id`.")


def _check_model(walk: Walk, document: dict[str, Any]) -> None:
    model = document.get("model")
    if model is None:
        return
    kinds = [kind for kind in ("factory", "predictions", "endpoint", "command") if f"model.{kind}" in walk.lines]
    if not kinds and is_onnx(model.get("path", "")):
        kinds = ["path"]
    if not kinds:
        remedy = "Add `factory: module:function`, `path: model.onnx`, `endpoint:`, `command:` or `predictions:`."
        walk.report("model-kind", "model", "nothing says how the model answers.", remedy)
    elif len(kinds) > 1:
        walk.report("model-kind", f"model.{kinds[1]}", f"both {' and '.join(kinds)} are given.", "Keep one of them.")
    if "model.calls" in walk.lines and not {"endpoint", "command"} & set(kinds):
        walk.report("model-calls", "model.calls", "only an endpoint or a command has calls.", "Take it out.")
    sets = document.get("data") or {}
    predictions = model.get("predictions") or {}
    if "" in predictions:
        name = "test" if "test" in sets or not sets else next(iter(sets))
        model["predictions"] = {name: predictions[""]}
    for name in predictions:
        if name and sets and name not in sets:
            message = f'"{name}" is no data set of this manifest.'
            walk.report("unknown-key", f"model.predictions.{name}", message, suggest(name, sets))


def _check_scenario(walk: Walk, document: dict[str, Any]) -> None:
    """Note a scenario that is nearly the name of a profile; another word is kept, and no profile's rules bind."""
    name = (document.get("application") or {}).get("scenario", "")
    close = nearest(name, PROFILES) if name else ""
    if close and name not in PROFILES:
        walk.report(
            "scenario-name", "application.scenario", f'"{name[:80]}" is no profile.', f'Did you mean "{close}"?'
        )


def _check_sharing(walk: Walk, document: dict[str, Any]) -> None:
    sets = document.get("data") or {}
    for index, path in enumerate(document.get("sharing") or ()):
        name = path.get("data")
        if name and sets and name not in sets:
            place = f"sharing.{index}.data"
            walk.report("unknown-set", place, f'"{name}" is no data set of this manifest.', suggest(name, sets))


def _check_trusted(walk: Walk, document: dict[str, Any]) -> None:
    """A word without a suffix or a folder names a data set; anything else is a file, which no check reads."""
    sets, name = document.get("data") or {}, ((document.get("controls") or {}).get("S5") or {}).get("trusted")
    if isinstance(name, str) and name.isidentifier() and sets and name not in sets:
        message = f'"{name}" is no data set of this manifest.'
        walk.report("unknown-set", "controls.S5.trusted", message, suggest(name, sets))


def _build(walk: Walk, root: Path, file: Path, raw: bytes, document: dict[str, Any]) -> Manifest:
    model = document.get("model")
    sharing = tuple(
        SharingPath(what=path["what"], data=path["data"], to=path.get("with", ""), control=path.get("control", ""))
        for path in document.get("sharing", ())
    )
    keep = ("parties", "purposes", "benefit", "scenarios", "controls", "checks", "packs")
    return Manifest(
        root=root,
        file=file.absolute(),
        raw=raw,
        digest=hashlib.sha256(raw).hexdigest(),
        application=Application(**document["application"]),
        use=Use(**document["use"]),
        data={name: DataSet(name=name, **data) for name, data in document["data"].items()},
        model=None if model is None else Model(**model),
        training=document.get("training", {}).get("factory", ""),
        sharing=sharing,
        features={name: Feature(**feature) for name, feature in document.get("features", {}).items()},
        lines=walk.lines,
        **{key: document[key] for key in keep if key in document},
    )


def parse(raw: bytes, root: Path, columns: Mapping[str, tuple[str, ...]]) -> Manifest:
    """Read a manifest from bytes alone; no file is looked at, so that evidence can be verified without the application.

    Args:
        raw: The manifest's bytes.
        root: Folder that paths are relative to; it need not exist.
        columns: Data-set name to the columns of its stored file, where known.

    Returns:
        The manifest as :func:`read` made it where the files had these columns.

    Raises:
        ProblemsError: All faults of shape at once.
    """
    node, problems = grow(raw, FILE)
    walk = Walk(FILE, problems=list(problems))
    document: dict[str, Any] = {}
    with suppress(Enough):
        document = _document(walk, node) if node is not None and node.fields is not None else {}
        if not document and not walk.problems:
            walk.report("empty", "", "the file is empty.", "Run `fivefold init` to propose a manifest.")
        if not walk.problems:
            sets = document["data"]
            for name, data in sets.items():
                inherit(data, sets.get("train", {}), columns.get(name), strict=name == "test")
            _check_model(walk, document)
    if walk.problems:
        raise ProblemsError(tuple(walk.problems))
    return _build(walk, root, root / FILE, raw, document)
