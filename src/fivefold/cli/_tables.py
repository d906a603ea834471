"""Tables of ``init``: which are meant, what they are called, and how they come into the application's folder."""

from __future__ import annotations

import filecmp
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Wishes:
    """What flags and prompts have given so far.

    Attributes:
        root: Folder of the application.
        asks: Whether the user may be asked.
        split: Share held back, if one table is to be parted.
        notes: Sentences for the user.
        made: Files and folders written so far, removed again if the manifest is refused.
    """

    root: Path
    asks: bool
    split: float | None
    notes: list[str] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)


@contextmanager
def undone_on_error(wishes: Wishes) -> Iterator[None]:
    """Remove the files that were made if the manifest is refused or the user stops."""
    try:
        yield
    except BaseException:
        for path in wishes.made:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


def ask(wishes: Wishes, question: str, default: str) -> str:
    """Return the answer to a question, or the default where nobody may be asked."""
    if not wishes.asks:
        return default
    return str(typer.prompt(question, default=default, show_default=bool(default))).strip()


def sets_of(wishes: Wishes, given: dict[str, str]) -> dict[str, Path]:
    """Return data-set name to table; the empty name: the one table that is to be parted.

    Raises:
        InputError: ``init.data`` or ``init.split`` if none is named, or they contradict each other.
    """
    from fivefold.errors import InputError

    if not any(given.values()):
        given[""] = ask(wishes, "Table (CSV, CSV.gz, Parquet, Arrow), .npz, or folder of recordings", "")
        if given[""] and wishes.split is None:
            given["test"] = ask(wishes, "A second table that the model has not seen (empty: none)", "")
    found = {name: find(wishes.root, text) for name, text in given.items() if text}
    if not found:
        remedy = "Name it: --train and --test, or --data (with --split 0.3 for one file)."
        raise InputError("init.data", "no table is named.", remedy=remedy)
    if wishes.split is not None and set(found) != {""}:
        raise InputError(
            "init.split", "--split parts the one table named by --data.", remedy="Drop --train and --test."
        )
    if wishes.split is None and "" in found:
        free = next((name for name in ("train", "test") if "test" in found or name == "test"), "test")
        if free in found:
            remedy = "Name the tables as --train, --test and --calibration."
            raise InputError("init.data", "--data stands beside --train and --test.", remedy=remedy)
        found[free] = found.pop("")
    return found


def find(root: Path, text: str) -> Path:
    """Return the file, or the folder of recordings, seen from the application's folder or from here.

    Raises:
        InputError: ``init.data`` if there is none.
    """
    from fivefold.errors import InputError

    for candidate in (root / text, Path(text)):
        if candidate.exists():
            return candidate
    remedy = f"Write a path seen from here or from {root}."
    raise InputError("init.data", f"there is no file {text}.", remedy=remedy)


def target_of(wishes: Wishes, sets: dict[str, Path], target: str) -> str:
    """Return the target column, guessed by its name if none is given.

    Raises:
        InputError: ``init.target`` if none is named like one, or there is no such column.
    """
    from fivefold.errors import InputError
    from fivefold.manifest.propose import guess_target
    from fivefold.manifest.survey import look
    from fivefold.manifest.walk import suggest

    survey = look(next(iter(sets.values())), rows=1)
    names = [column.name for column in survey.columns]
    if not target:
        guess = guess_target(survey)
        target = ask(wishes, f"Column with the true answer ({', '.join(names[:30])})", guess)
        if not target:
            raise InputError("init.target", "no column is named like a target.", remedy="Name it with --target.")
        if not wishes.asks:
            wishes.notes.append(f'The target "{target}" was taken by its name; change it if it is another column.')
    if target not in names:
        raise InputError("init.target", f'there is no column "{target}".', remedy=suggest(target, names))
    return target


def place_sets(wishes: Wishes, sets: dict[str, Path], target: str) -> dict[str, str]:
    """Return data-set name to path below the folder, copying and splitting where that was asked for."""
    from fivefold.manifest.split import write_split

    if wishes.split is None:
        return {name: bring(wishes, path) for name, path in sets.items()}
    path = sets[""]
    ending = "".join(path.suffixes[-2:]) if path.name.endswith(".gz") else path.suffix
    parts = {name: f"data/{name}{ending}" for name in ("train", "test")}
    files = [wishes.root / part for part in parts.values()]
    new = [file for file in files if not file.exists()]
    rows = write_split(path, target, wishes.split, *files)
    wishes.made += new
    wishes.notes.append(
        f"{path} was parted into {parts['train']} ({rows[0]:,} rows) and {parts['test']} ({rows[1]:,} rows), "
        "equal rows together. Train the model on data/train alone: having seen the test rows, it looks too good."
    )
    return parts


def bring(wishes: Wishes, path: Path, folder: str = "data") -> str:
    """Return the path of a file or folder below the application's folder; what lies outside is copied, never moved.

    Raises:
        InputError: ``init.exists`` if another one of that name is there.
    """
    from fivefold.errors import InputError

    root = wishes.root.resolve()
    if path.resolve().is_relative_to(root):
        return path.resolve().relative_to(root).as_posix()
    copy = root / folder / path.name
    if copy.exists() and not _equal(path, copy):
        raise InputError("init.exists", f"{copy} is there already and differs.", remedy="Name that one, or move it.")
    copy.parent.mkdir(parents=True, exist_ok=True)
    shown = copy.relative_to(root).as_posix()
    if not copy.exists():
        wishes.made.append(copy)
        if path.is_dir():
            shutil.copytree(path, copy, symlinks=True)
        else:
            shutil.copyfile(path, copy)
        wishes.notes.append(f"{path} was copied to {shown}: a manifest names files of its own folder only.")
    return shown


def _equal(one: Path, other: Path) -> bool:
    """Whether two files, or two folders with all that is in them, hold the same bytes."""
    if one.is_file() or other.is_file():
        return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
    names = [{item.relative_to(folder) for item in folder.rglob("*")} for folder in (one, other)]
    return names[0] == names[1] and all(_equal(one / name, other / name) for name in names[0] if (one / name).is_file())
