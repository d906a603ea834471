"""Filing: a data set filtered into two, with reasons, a summary and a picture, all in a new folder."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fivefold.errors import InputError
from fivefold.sharing.filtering.choose import TRUSTED, filtered
from fivefold.sharing.filtering.drawing import drawn
from fivefold.sharing.filtering.known import learned, usable
from fivefold.sharing.filtering.removal import by_group, groups_of
from fivefold.sharing.filtering.weighing import weighed
from fivefold.subject import labels
from fivefold.subject.tables import Coding, Store

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from fivefold.contract.subject import Table
    from fivefold.manifest.nouns import DataSet, Manifest
    from fivefold.sharing.filtering.removal import Removal
    from fivefold.sharing.filtering.weighing import Weight

_MANY = 20


def file(manifest: Manifest, name: str, out: Path, seed: int) -> dict[str, Any]:
    """Filter a data set of an application and write what stays and what does not.

    Written are ``kept`` and ``quarantined`` (CSV of the rows of tables and texts; arrays: npz and a CSV of the rows in
    quarantine; recordings: CSV of the index), ``summary.json`` and ``picture.svg``. A quarantined row has its position,
    its reason and its suspicion. The data set itself is not touched.

    Args:
        manifest: The application; ``controls: {S5: {trusted: ...}}`` names rows that are known to be good, a file or a
            data set.
        name: The data set.
        out: A folder that is not there yet, or is empty.
        seed: Decides all draws.

    Returns:
        The summary.

    Raises:
        InputError: ``filter.out`` where something is there; ``filter.data`` for a set that is not declared;
            ``filter.trusted``; as :func:`fivefold.subject.inputs.read.read`.
        UnsupportedError: As the filters.
    """
    if name not in manifest.data:
        raise InputError("filter.data", f"data.{name} is not declared.", remedy=f"Try: {', '.join(manifest.data)}.")
    options = manifest.controls.get("S5", {})
    data = _with_target(manifest, name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("filter.out", f"{out} is there already.", remedy="Name a folder that is not there: --out.")
    store = Store(manifest.root, {name: data}, manifest.features)
    coding = _coding(manifest, store, name)
    table = store.table(name, coding)
    trusted = _trusted(manifest, data, options.get("trusted", ""), coding)
    found = filtered(table, np.random.default_rng(seed), trusted)
    protected = tuple(column for column in data.protected if column in store.frame(name).columns)
    groups = groups_of(table, protected, coding.classes)
    hit = by_group(~found.kept, groups)
    by, weights = _weighed(
        manifest, name, (table, found.kept, trusted), (protected, coding), np.random.default_rng(seed)
    )
    summary = {
        "data": name, "rows": len(table), "kept": int(found.kept.sum()), "quarantined": int((~found.kept).sum()),
        "reasons": {text: int((found.reasons == at).sum()) for at, text in enumerate(found.texts)},
        "trusted": 0 if trusted is None else len(trusted), "notes": list(found.notes), "seed": seed,
        "groups": [{"group": one.where, "rows": one.n, "share": one.value, "low": one.low, "high": one.high}
                   for one in hit],
        "harm": {"judged by": by, "error": _error(coding, data),
                 "groups": [asdict(one) for one in weights]},
        "read": "Good rows may be among those in quarantine; look at them, and at the groups that are hit most.",
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    _write(manifest, data, store.frame(name), found, out)
    _new(out / "summary.json", (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode())
    _new(out / "picture.svg", drawn(found, hit, name).encode())
    return summary


def _error(coding: Coding, data: DataSet) -> str:
    return "share wrong" if coding.classes else "mean absolute error" if data.target else ""


def _weighed(
    manifest: Manifest, name: str, rows: tuple[Table, np.ndarray, Table | None], named: tuple[tuple[str, ...], Coding],
    rng: np.random.Generator,
) -> tuple[str, list[Weight]]:  # fmt: skip
    """Return by which rows harm is judged (the data set ``test``, else trusted rows, else none), and the errors."""
    table, kept, trusted = rows
    protected, coding = named
    judges, by = trusted, "trusted rows"
    if not learned(table):
        return "nothing: the rows have no target, so no learner is taught by them", []
    if "test" in manifest.data and name != "test":
        data = _with_target(manifest, "test")
        store = Store(manifest.root, {name: _with_target(manifest, name), "test": data}, manifest.features)
        judges, by = store.table("test", coding), "data.test"
    if judges is None:
        return "no rows: declare data.test or trusted rows", []
    found = weighed(table, kept, judges, (protected, coding.classes), rng)
    return (by if found else f"{by}: too few rows"), found


def _with_target(manifest: Manifest, name: str) -> DataSet:
    data = manifest.data[name]
    target = data.target or (manifest.data["train"].target if "train" in manifest.data else "")
    return replace_set(data, target=target)


def replace_set(data: DataSet, **changes: Any) -> DataSet:
    """Return a declaration with other fields."""
    import msgspec

    return msgspec.structs.replace(data, **changes)


def _coding(manifest: Manifest, store: Store, name: str) -> Coding:
    """Return how the target is coded: as the model declares, else as values where it has over twenty numbers.

    Where there is none, rows have the target NaN.
    """
    import pandas as pd

    target = store.target(name)
    if target is None:
        return Coding("regression")
    task = manifest.model.task if manifest.model else ""
    numeric = pd.api.types.is_numeric_dtype(target) and not pd.api.types.is_bool_dtype(target)
    if task == "regression" or (not task and numeric and target.nunique() > _MANY):
        return Coding("regression")
    classes = labels.ordered(labels.distinct(labels.texts(target)))
    return Coding("binary" if len(classes) <= 2 else "multiclass", classes)


def _trusted(manifest: Manifest, data: DataSet, place: object, coding: Coding) -> Table | None:
    if not place:
        return None
    if place in manifest.data:
        place = manifest.data[str(place)].path
    root = manifest.root.resolve()
    path = (root / str(place)).resolve()
    if not isinstance(place, str) or not path.is_relative_to(root) or not path.exists():
        raise InputError(
            "filter.trusted", f"controls.S5.trusted: {str(place)[:80]!r} is no file in the application's folder.",
            remedy="Name a file of rows that people vetted, with the columns of the data set.",
        )  # fmt: skip
    relative = path.relative_to(root).as_posix()
    store = Store(manifest.root, {"trusted": replace_set(data, name="trusted", path=relative)}, manifest.features)
    table = store.table("trusted", coding)
    known = usable(table)
    if len(known) < TRUSTED:
        raise InputError(
            "filter.trusted", f"{relative} holds {len(known)} rows that can be used; {TRUSTED} are needed.",
            remedy="Have people vet more rows.",
        )  # fmt: skip
    return replace(known, rows=np.arange(len(known)))


def _write(manifest: Manifest, data: DataSet, frame: pd.DataFrame, found: Removal, out: Path) -> None:
    reasons = [found.reason(int(at)) for at in np.flatnonzero(~found.kept)]
    held = frame.loc[~found.kept].copy()
    held.insert(0, "fivefold_row", np.flatnonzero(~found.kept))
    held.insert(1, "fivefold_reason", reasons)
    held.insert(2, "fivefold_suspicion", np.where(np.isfinite(found.suspicion), found.suspicion, 1e9)[~found.kept])
    _new(out / "quarantined.csv", held.to_csv(index=False, lineterminator="\n").encode())
    if data.path.lower().endswith(".npz"):
        with np.load(manifest.root / data.path, allow_pickle=False) as arrays:
            kept = {key: arrays[key][found.kept] if len(arrays[key]) == len(found.kept) else arrays[key]
                    for key in arrays.files}  # fmt: skip
        with (out / "kept.npz").open("xb") as stream:
            np.savez_compressed(stream, **kept)
    _new(out / "kept.csv", frame.loc[found.kept].to_csv(index=False, lineterminator="\n").encode())


def _new(path: Path, content: bytes) -> None:
    """Write a file that must not be there."""
    with path.open("xb") as stream:
        stream.write(content)
