"""Command ``init``: asks or takes flags, proposes a manifest, says why, and writes it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json, console, out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from fivefold.manifest.propose import Proposal

_MODEL_HELP = "module:function in the folder; called without arguments it returns the model."


@dataclass
class _Wishes:
    """What flags and prompts have given so far.

    Attributes:
        root: Folder of the application.
        asks: Whether the user may be asked.
        split: Share held back, if one table is to be parted.
        notes: Sentences for the user.
        made: Files written so far, removed again if the manifest is refused.
    """

    root: Path
    asks: bool
    split: float | None
    notes: list[str] = field(default_factory=list)
    made: list[Path] = field(default_factory=list)


def init(  # noqa: PLR0917  one parameter per flag
    application: Annotated[Path, typer.Argument(help="Folder of the application; made if it is not there.")],
    data: Annotated[str, typer.Option(help="The only table: rows that the model has not seen, or --split it.")] = "",
    train: Annotated[str, typer.Option(help="Table that the model was trained on.")] = "",
    test: Annotated[str, typer.Option(help="Table that the model has not seen.")] = "",
    calibration: Annotated[str, typer.Option(help="Table for calibration.")] = "",
    target: Annotated[str, typer.Option(help="Column with the true answer.")] = "",
    model: Annotated[str, typer.Option(help=_MODEL_HELP)] = "",
    model_path: Annotated[str, typer.Option(help="File or folder that the factory loads.")] = "",
    predictions: Annotated[str, typer.Option(help="File of predictions, instead of --model.")] = "",
    training: Annotated[str, typer.Option(help="module:function; fit(data, rng) returns a model.")] = "",
    output: Annotated[
        str, typer.Option(help="statistic, label, score, forecast, recommendation, decision, action.")
    ] = "",
    level: Annotated[int | None, typer.Option(help="Declared level, 1 to 5.", min=1, max=5)] = None,
    acts: Annotated[str, typer.Option(help="Who acts on the output: human, system or nobody.")] = "",
    alone: Annotated[bool | None, typer.Option("--alone/--not-alone", help="It acts without a person.")] = None,
    purpose: Annotated[str, typer.Option(help="What it is for, in a sentence.")] = "",
    positive: Annotated[str, typer.Option(help="Label of the favourable class.")] = "",
    alarm: Annotated[str, typer.Option(help="Label of the class to detect.")] = "",
    protected: Annotated[str | None, typer.Option(help="Protected columns, with commas; empty: none.")] = None,
    drop: Annotated[str | None, typer.Option(help="Columns that the model never sees, with commas.")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="Column that names a row.")] = None,
    app_id: Annotated[str, typer.Option(help="Application id; the folder's name if not given.")] = "",
    split: Annotated[
        float | None, typer.Option(help="Write --data as two files, holding back this share as test, for example 0.3.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a manifest that is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take the proposals.")] = False,
    json: Json = False,
) -> None:
    """Propose a manifest from a table and a model, explain each proposal, and write it.

    The tables are only read. A table outside the folder is copied to its data folder; --split writes two new files.

    Examples: [bold]fivefold init my-app[/bold] (asks),
    [bold]fivefold init my-app --train tr.csv --test te.csv --target default --model scorer:load --level 4 --yes[/bold],
    [bold]fivefold init my-app --data all.csv --split 0.3 --target y --predictions p.csv --yes[/bold]
    """
    from fivefold.errors import InputError
    from fivefold.manifest.propose import Answers, propose
    from fivefold.manifest.reader import FILE

    file = application / FILE
    if file.exists() and not force:
        raise InputError("init.exists", f"{file} is there already.", remedy="Change it by hand, or use --force.")
    wishes = _Wishes(root=application, asks=not yes and not json and sys.stdin.isatty(), split=split)
    with _undone_on_error(wishes):
        sets = _sets(wishes, {"train": train, "calibration": calibration, "test": test, "": data})
        chosen = _target(wishes, sets, target)
        placed = _place(wishes, sets, chosen)
        answers = Answers(
            app=app_id or _id(application),
            root=application,
            sets=placed,
            target=chosen,
            model=_model(wishes, model, model_path, predictions),
            training=training,
            use={key: value for key, value in _use(wishes, output, acts, alone).items() if value is not None},
            level=level,
            purpose=purpose or _ask(wishes, "What is it for, in a sentence", ""),
            settings=_settings(positive, alarm, protected, drop, id_column),
        )
        proposal = propose(answers)
        text = _text(proposal)
        if wishes.asks:
            console().print(text, markup=False)
            if not typer.confirm(f"Write this to {file}?", default=True):
                raise InputError("init.stopped", "nothing was written.")
        _write(file, text)
    notes = [*wishes.notes, *proposal.notes]
    value = {"version": 1, "file": str(file), "manifest": text, "reasons": proposal.reasons, "notes": notes}
    out(json=json, value=value, view="" if json else _view(file, notes, text, shown=wishes.asks))


@contextmanager
def _undone_on_error(wishes: _Wishes) -> Iterator[None]:
    """Remove the files that were made if the manifest is refused or the user stops."""
    try:
        yield
    except BaseException:
        for path in wishes.made:
            path.unlink(missing_ok=True)
        raise


def _ask(wishes: _Wishes, question: str, default: str) -> str:
    if not wishes.asks:
        return default
    return str(typer.prompt(question, default=default, show_default=bool(default))).strip()


def _sets(wishes: _Wishes, given: dict[str, str]) -> dict[str, Path]:
    from fivefold.errors import InputError

    if not any(given.values()):
        given[""] = _ask(wishes, "Table (CSV, CSV.gz, Parquet or Arrow)", "")
        if given[""] and wishes.split is None:
            given["test"] = _ask(wishes, "A second table that the model has not seen (empty: none)", "")
    found = {name: _find(wishes.root, text) for name, text in given.items() if text}
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


def _find(root: Path, text: str) -> Path:
    from fivefold.errors import InputError

    for candidate in (root / text, Path(text)):
        if candidate.is_file():
            return candidate
    remedy = f"Write a path seen from here or from {root}."
    raise InputError("init.data", f"there is no file {text}.", remedy=remedy)


def _target(wishes: _Wishes, sets: dict[str, Path], target: str) -> str:
    from fivefold.errors import InputError
    from fivefold.manifest.propose import guess_target
    from fivefold.manifest.survey import look
    from fivefold.manifest.walk import suggest

    survey = look(next(iter(sets.values())), rows=1)
    names = [column.name for column in survey.columns]
    if not target:
        guess = guess_target(survey)
        target = _ask(wishes, f"Column with the true answer ({', '.join(names[:30])})", guess)
        if not target:
            raise InputError("init.target", "no column is named like a target.", remedy="Name it with --target.")
        if not wishes.asks:
            wishes.notes.append(f'The target "{target}" was taken by its name; change it if it is another column.')
    if target not in names:
        raise InputError("init.target", f'there is no column "{target}".', remedy=suggest(target, names))
    return target


def _place(wishes: _Wishes, sets: dict[str, Path], target: str) -> dict[str, str]:
    """Return data-set name to path below the folder, copying and splitting where that was asked for."""
    from fivefold.manifest.split import write_split

    if wishes.split is None:
        return {name: _bring(wishes, path) for name, path in sets.items()}
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


def _bring(wishes: _Wishes, path: Path) -> str:
    """Return the path of a table below the folder; one that lies outside is copied, never moved."""
    import filecmp
    import shutil

    from fivefold.errors import InputError

    root = wishes.root.resolve()
    if path.resolve().is_relative_to(root):
        return path.resolve().relative_to(root).as_posix()
    copy = root / "data" / path.name
    if copy.exists() and not filecmp.cmp(path, copy, shallow=False):
        raise InputError("init.exists", f"{copy} is there already and differs.", remedy="Name that file, or move it.")
    copy.parent.mkdir(parents=True, exist_ok=True)
    if not copy.exists():
        shutil.copyfile(path, copy)
        wishes.made.append(copy)
        wishes.notes.append(f"{path} was copied to data/{path.name}: a manifest names files of its own folder only.")
    return f"data/{path.name}"


def _model(wishes: _Wishes, factory: str, path: str, predictions: str) -> dict[str, Any]:
    if not factory and not predictions:
        factory = _ask(wishes, f"Model: {_MODEL_HELP} (empty: a file of predictions, or later)", "")
        predictions = "" if factory else _ask(wishes, "File of predictions (empty: later)", "")
    if predictions and not factory:
        return {"predictions": _bring(wishes, _find(wishes.root, predictions))}
    found: dict[str, Any] = {"factory": factory, "predictions": predictions, "path": path}
    return {key: value for key, value in found.items() if value}


def _use(wishes: _Wishes, output: str, acts: str, alone: bool | None) -> dict[str, Any]:
    from fivefold.manifest.schema import OUTPUTS

    output = output or _ask(wishes, f"What is its output ({', '.join(OUTPUTS)})", "")
    if output and not acts and wishes.asks:
        acts = _ask(wishes, "Who acts on it (human, system, nobody)", "human")
    return {"output": output or None, "acts": acts or None, "alone": alone}


def _settings(
    positive: str, alarm: str, protected: str | None, drop: str | None, id_column: str | None
) -> dict[str, Any]:
    lists = {"protected": protected, "drop": drop}
    found: dict[str, Any] = {
        key: [part.strip() for part in text.split(",") if part.strip()]
        for key, text in lists.items()
        if text is not None
    }
    return found | {"positive": positive, "alarm": alarm} | ({} if id_column is None else {"id": id_column})


def _id(folder: Path) -> str:
    import re

    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).strip("-._")[:64]
    return name or "my-application"


def _text(proposal: Proposal) -> str:
    from fivefold.manifest.emit import emit

    head = "What this application declares, as proposed by `fivefold init`: check each line, then run `fivefold plan`."
    return emit(proposal.document, proposal.reasons, head)


def _write(file: Path, text: str) -> None:
    """Write the manifest once it has been read back without fault; an old one stays until then."""
    from fivefold.errors import ProblemsError
    from fivefold.manifest.reader import read

    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, encoding="utf-8")
    try:
        read(draft)
        draft.replace(file)
    except ProblemsError as error:
        import dataclasses

        moved = (
            dataclasses.replace(problem, where=problem.where.replace(str(draft), str(file)))
            for problem in error.problems
        )
        raise ProblemsError(tuple(moved)) from None
    finally:
        draft.unlink(missing_ok=True)


def _view(file: Path, notes: list[str], text: str, *, shown: bool) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [] if shown else [Text(text)]
    parts.append(Text(f"Written: {file}", style="green"))
    parts += [Text(f"- {note}") for note in notes]
    parts.append(Text(f"Next: fivefold plan {file.parent}"))
    return Group(*parts)
