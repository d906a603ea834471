"""Command ``init``: asks or takes flags, proposes a manifest, says why, and writes it."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  typer reads it when the command is called
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import Json, console
from fivefold.cli._tables import Wishes, ask, bring, find, place_sets, sets_of, target_of, undone_on_error
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.catalogue.profiles import Profile
    from fivefold.manifest.answering import Named
    from fivefold.manifest.propose import Proposal

_MODEL_HELP = (
    "module:function (returns the model), FILE.onnx, http(s)://host/v2/models/NAME, grpc://host:port/NAME, "
    """a file of predictions, or a command: '["Rscript", "predict.R"]'."""
)


def init(  # noqa: PLR0917  one parameter per flag
    application: Annotated[
        Path | None, typer.Argument(help="Folder of the application; made if it is not there.")
    ] = None,
    data: Annotated[
        str, typer.Option(help="The only table, .npz or folder: rows that the model has not seen, or --split it.")
    ] = "",
    train: Annotated[str, typer.Option(help="Table that the model was trained on.")] = "",
    test: Annotated[str, typer.Option(help="Table that the model has not seen.")] = "",
    calibration: Annotated[str, typer.Option(help="Table for calibration.")] = "",
    kind: Annotated[
        str,
        typer.Option(help="What one row is: table, image, series, text or audio; as the file shows it if not given."),
    ] = "",
    input_: Annotated[
        str,
        typer.Option("--input", help="What the model sees: column of texts, array of an .npz, column of wav files."),
    ] = "",
    time: Annotated[str, typer.Option(help="Series in a table: column that orders the lines of one --id.")] = "",
    target: Annotated[str, typer.Option(help="Column with the true answer.")] = "",
    model: Annotated[str, typer.Option(help=_MODEL_HELP)] = "",
    model_path: Annotated[str, typer.Option(help="File or folder that the factory loads.")] = "",
    predictions: Annotated[str, typer.Option(help="File of predictions, instead of --model.")] = "",
    command: Annotated[
        str, typer.Option(help="Program that reads CSV and writes predictions, as in a shell; instead of --model.")
    ] = "",
    training: Annotated[str, typer.Option(help="module:function; fit(data, rng) returns a model.")] = "",
    scenario: Annotated[
        str,
        typer.Option(
            help="Profile to start from: health, retail, transport, manufacturing, city, finance, energy, carrier or "
            "internal. Without a folder: show it."
        ),
    ] = "",
    output: Annotated[
        str, typer.Option(help="statistic, label, score, forecast, recommendation, decision, action.")
    ] = "",
    level: Annotated[int | None, typer.Option(help="Declared level, 1 to 5.", min=1, max=5)] = None,
    acts: Annotated[str, typer.Option(help="Who acts on the output: human, system or nobody.")] = "",
    alone: Annotated[bool | None, typer.Option("--alone/--not-alone", help="It acts without a person.")] = None,
    reversible: Annotated[
        bool | None, typer.Option("--reversible/--irreversible", help="What is done on it can be undone.")
    ] = None,
    within: Annotated[str, typer.Option(help="How soon something is done on it: seconds, minutes or days.")] = "",
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
    """Propose a manifest from data and a model, explain each proposal, and write it.

    The data are only read: tables, .npz of images or series, folders of recordings. What lies outside the folder is
    copied to its data folder; --split writes two new files.

    --scenario starts from a profile: level, protected fields, rules and tightened thresholds; what the rules still ask
    is said at the end.

    Examples: [bold]fivefold init my-app[/bold] (asks), [bold]fivefold init --scenario health[/bold] (shows it),
    [bold]fivefold init my-app --train tr.csv --test te.csv --target default --model scorer:load --level 4 --yes[/bold],
    [bold]fivefold init my-app --data all.csv --split 0.3 --target y --predictions p.csv --yes[/bold]
    """
    from fivefold.cli._scenario import open_rules, profile_of, show
    from fivefold.errors import InputError
    from fivefold.manifest.propose import Answers, propose
    from fivefold.manifest.reader import FILE

    profile = profile_of(scenario)
    if application is None:
        if profile is None or any((data, train, test, model, predictions, command)):
            remedy = "Write: fivefold init FOLDER."
            raise InputError("init.folder", "no folder is named for the application.", remedy=remedy)
        show(profile, json=json)
        return
    file = application / FILE
    if file.exists() and not force:
        raise InputError("init.exists", f"{file} is there already.", remedy="Change it by hand, or use --force.")
    wishes = Wishes(root=application, asks=not yes and not json and sys.stdin.isatty(), split=split)
    with undone_on_error(wishes):
        sets = sets_of(wishes, {"train": train, "calibration": calibration, "test": test, "": data})
        chosen = target_of(wishes, sets, target)
        placed = place_sets(wishes, sets, chosen)
        profile = profile or _asked_profile(wishes)
        entries = _model(wishes, model, model_path, predictions, command)
        answers = Answers(
            app=app_id or _id(application),
            root=application,
            sets=placed,
            target=chosen,
            model=entries.entries,
            said=entries.reason,
            training=training,
            use=_use(wishes, profile, output=output, acts=acts, alone=alone, reversible=reversible, within=within),
            level=level,
            purpose=purpose or ask(wishes, "What is it for, in a sentence", ""),
            settings=_settings(positive, alarm, protected, drop, id_column)
            | {"kind": kind, "input": input_, "time": time},
            profile=profile,
        )
        proposal = propose(answers)
        text = _text(proposal)
        if wishes.asks:
            console().print(text, markup=False, soft_wrap=True)
            if not typer.confirm(f"Write this to {file}?", default=True):
                raise InputError("init.stopped", "nothing was written.")
        _write(file, text)
    notes = [*wishes.notes, *proposal.notes, *open_rules(file)]
    value = {"version": 1, "file": str(file), "manifest": text, "reasons": proposal.reasons, "notes": notes}
    say(json=json, value=value, lines=_lines(file, notes, text, shown=wishes.asks))


def _model(wishes: Wishes, text: str, path: str, predictions: str, command: str) -> Named:
    from fivefold.errors import InputError
    from fivefold.manifest import answering

    if sum(map(bool, (text, predictions, command))) > 1:
        remedy = "Keep one of --model, --predictions and --command."
        raise InputError("init.model", "the model is named more than once.", remedy=remedy)
    if not text and not predictions and not command:
        text = ask(wishes, f"Model: {_MODEL_HELP} (empty: later)", "")
    if text:
        found = answering.named(text)
    elif command:
        found = answering.command(command)
    else:
        found = answering.Named({"predictions": predictions} if predictions else {}, files=("predictions",))
    entries = dict(found.entries)
    for key in set(found.files) & set(entries):
        entries[key] = bring(wishes, find(wishes.root, entries[key]), "data" if key == "predictions" else "")
    if path:
        entries["path"] = path
    if "endpoint" in entries:
        wishes.notes += _described(entries["endpoint"])
    return answering.Named(entries, found.reason)


def _described(url: str) -> list[str]:
    """Return what an endpoint says of itself; one that cannot be reached hinders nobody from writing a manifest."""
    import importlib

    from fivefold.errors import FivefoldError

    try:
        endpoint = importlib.import_module("fivefold.subject.endpoint")
    except ImportError:
        return []
    try:
        return [f"The endpoint says: {endpoint.describe(url)}"]
    except FivefoldError as error:
        return [f"The endpoint could not be asked now: {error.message}"]


def _asked_profile(wishes: Wishes) -> Profile | None:
    from fivefold.catalogue.profiles import NAMES
    from fivefold.cli._scenario import profile_of

    return profile_of(ask(wishes, f"Scenario ({', '.join(NAMES)}; empty: none)", ""))


def _use(wishes: Wishes, profile: Profile | None, **given: Any) -> dict[str, Any]:
    """Return the answers that were given, each of them a possible one."""
    from fivefold.catalogue.classify import options
    from fivefold.errors import InputError

    if not given["output"] and wishes.asks:
        usual = profile.use.output if profile else ""
        said = ask(wishes, f"What is its output ({', '.join(options()['output'])})", usual)
        if said != usual:
            given["output"] = said
            given["acts"] = given["acts"] or ask(wishes, "Who acts on it (human, system, nobody)", "human")
    given = {name: value for name, value in given.items() if value not in ("", None)}
    for name, value in given.items():
        if value not in options()[name]:
            remedy = f"Choose: {', '.join(map(str, options()[name]))}."
            raise InputError("classify.answer", f'"{value}" is no answer for --{name}.', remedy=remedy)
    return given


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

        moved = (dataclasses.replace(problem, where=f"{file} (not written)") for problem in error.problems)
        raise ProblemsError(tuple(moved)) from None
    finally:
        draft.unlink(missing_ok=True)


def _lines(file: Path, notes: list[str], text: str, *, shown: bool) -> list[str]:
    head = [] if shown else text.splitlines()
    return [*head, f"Written: {file}", *(f"- {note}" for note in notes), f"Next: fivefold plan {file.parent}"]
