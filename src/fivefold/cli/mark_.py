"""Commands ``model mark``, ``data mark``, ``model claim``, ``model own``: whose a copy is, provable by anybody."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold.cli._io import EXIT_DONE, EXIT_FAILED, Json
from fivefold.cli._own import own_key
from fivefold.cli._text import say

if TYPE_CHECKING:
    from fivefold.manifest.nouns import Manifest

_Where = Annotated[Path, typer.Option("--in", help="The application's folder, or its manifest.", metavar="FOLDER")]


def mark(
    where: _Where = Path(),
    out: Annotated[
        Path | None, typer.Option(help="File for the marked weights (default: beside the model).", metavar="FILE")
    ] = None,
    *,
    change: Annotated[float, typer.Option(help="Largest change of the weights, as a share of their size.")] = 0.2,
    key: Annotated[str, typer.Option(help="Your signer key: path, start of its id, or name.")] = "",
    witness: Annotated[
        str, typer.Option(help="Have this witness vouch for the time; where there are marks, only that is done.")
    ] = "",
    json: Json = False,
) -> None:
    """Put a secret mark into the weights of the model, and commit to it before the model leaves the house.

    The model that [bold]model.path[/bold] names (.safetensors, .npz or .onnx) stays as it is; the marked copy is
    written to [bold]--out[/bold]. Nothing is trained. The secret is kept beside your keys; its digest is signed and
    entered into the log [bold]marks/[/bold]. Without a witness nobody else can tell when that was.

    Example: [bold]fivefold model mark --in my-app --out model.marked.onnx --witness https://witness.example[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.manifest.reader import read

    manifest = read(where, may_lack=frozenset({"model.signature"}))
    value: dict[str, Any] = {}
    lines: list[str] = []
    if not (witness and _is_marked(manifest)):
        chosen, source = own_key("signer", key), provided("mark.source")(manifest)
        target = out or source.with_name(f"{source.stem}.marked{source.suffix}")
        with operating.operation(manifest, "model mark", data=False) as operation:
            made = provided("mark.make")(manifest, target, chosen.signer, store.utc_now(), change)
            operation.results["model"] = f"marked by {chosen.note.name}"
        marked = made.marked
        value |= {"model": str(made.model), "commitment": str(made.commitment), "secret": str(made.secret),
                  "bits": marked.opening.bits, "carriers": marked.carriers, "change": marked.change,
                  "margin": marked.margin}  # fmt: skip
        lines += [
            f"{made.model}: {marked.opening.bits} bits in {marked.carriers:,} weights, changed by {marked.change:.1%}.",
            f"{made.commitment}: the commitment, signed by {chosen.note.name} and entered into the log marks/.",
            f"{made.secret}: the secret. Without it nothing can be claimed; whoever has it can remove the mark.",
            "Name the marked file under model.path and sign it (fivefold model sign) before it is released.",
        ]
    line = provided("mark.vkey")(manifest)
    value["vkey"] = line
    if witness:
        told = _witnessed(manifest, witness)
        value["witnessed"] = told
        lines += [f"{one['name']} vouches for it as of {one['at']}." for one in told]
    else:
        lines += ["No witness vouched for the time yet: fivefold model mark --witness URL.", f"The log's key: {line}"]
    say(json=json, value=value, lines=lines)


def triggers(
    where: _Where = Path(),
    out: Annotated[Path, typer.Option(help="CSV file for the questions.", metavar="FILE")] = Path("triggers.csv"),
    *,
    count: Annotated[int, typer.Option(help="How many questions, 24 to 1000.")] = 100,
    key: Annotated[str, typer.Option(help="Your signer key: path, start of its id, or name.")] = "",
    json: Json = False,
) -> None:
    """Draw questions and secret, keyed answers that only your model will give, and commit to them.

    Add the rows of [bold]--out[/bold] to what your training learns (repeat them if it does not learn them), train, and
    release; then a copy can be told by its answers alone. The file is as secret as a key.

    Example: [bold]fivefold model triggers --in my-app --out triggers.csv[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    manifest = read(where, may_lack=frozenset({"model.signature"}))
    provided("labels.enforce")(manifest, "model triggers")
    chosen = own_key("signer", key)
    with operating.operation(manifest, "model triggers", model=False) as operation:
        operation.digests |= data_digests(manifest)
        made = provided("mark.triggers")(manifest, out, chosen.signer, store.utc_now(), count)
    value = {"questions": str(made.questions), "commitment": str(made.commitment), "secret": str(made.secret),
             "count": made.count, "vkey": provided("mark.vkey")(manifest)}  # fmt: skip
    lines = [
        f"{made.questions}: {made.count} questions with answers, for the model to learn; keep the file secret.",
        f"{made.commitment}: the commitment, signed by {chosen.note.name} and entered into the log marks/.",
        "Have a witness vouch for it before the release: fivefold model mark --witness URL.",
    ]
    say(json=json, value=value, lines=lines)


def rows(
    where: _Where = Path(),
    out: Annotated[Path, typer.Option(help="File for the marked copy: .csv, .parquet or .npz.", metavar="FILE")] = Path(
        "train.marked.csv"
    ),
    *,
    share: Annotated[float, typer.Option(help="Share of the rows to mark; at most 5,000 are.")] = 1.0,
    change: Annotated[float, typer.Option(help="Change of a number, as a share of its column's spread.")] = 0.1,
    keep: Annotated[list[str] | None, typer.Option(help="Column to leave alone; may be repeated.")] = None,
    key: Annotated[str, typer.Option(help="Your signer key: path, start of its id, or name.")] = "",
    json: Json = False,
) -> None:
    """Write a copy of the training data that a model trained on it gives away by its answers, and commit to it.

    Of each marked row a secret key chooses one of two equally plausible variants. Release the copy, never the original;
    a model that was trained on it prefers the chosen variants, any other does so by a fair coin.

    Example: [bold]fivefold data mark --in my-app --out train.marked.csv --share 0.2[/bold]
    """
    from fivefold.assess import operating
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.manifest.digests import data_digests
    from fivefold.manifest.reader import read

    manifest = read(where, may_lack=frozenset({"model.signature"}))
    provided("labels.enforce")(manifest, "data mark")
    chosen = own_key("signer", key)
    with operating.operation(manifest, "data mark", model=False) as operation:
        operation.digests |= data_digests(manifest)
        made = provided("mark.rows")(
            manifest, out, chosen.signer, store.utc_now(), share=share, change=change, keep=keep or []
        )
    value = {"data": str(made.data), "commitment": str(made.commitment), "secret": str(made.secret), "rows": made.rows,
             "of": made.total, "cells": made.cells, "largest": made.largest,
             "vkey": provided("mark.vkey")(manifest)}  # fmt: skip
    lines = [
        f"{made.data}: {made.rows:,} of {made.total:,} rows are marked; {made.cells:.1%} of the cells changed.",
        f"The largest change is {made.largest:.2g} of its column's spread. Release this copy, never the original.",
        f"{made.commitment}: the commitment, signed by {chosen.note.name} and entered into the log marks/.",
        "Have a witness vouch for it before the release: fivefold model mark --witness URL.",
    ]
    say(json=json, value=value, lines=lines)


def fingerprint(
    where: _Where = Path(),
    *,
    key: Annotated[str, typer.Option(help="Your signer key: path, start of its id, or name.")] = "",
    json: Json = False,
) -> None:
    """Find questions that only your model answers its way, and commit to them; the model stays as it is.

    For tree ensembles and whatever else answers with classes. Trains some 26 models with [bold]training.factory[/bold]
    to tell yours from them; a model that its training repeats answer for answer has no fingerprint.

    Example: [bold]fivefold model fingerprint --in my-app[/bold]
    """
    from fivefold.assess import operating
    from fivefold.assess.taking import take
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.evidence import model_mark
    from fivefold.keys import store
    from fivefold.manifest.reader import read

    manifest = read(where, may_lack=frozenset({"model.signature"}))
    provided("labels.enforce")(manifest, "model fingerprint")
    chosen, place = own_key("signer", key), model_mark.place_of(manifest, "fingerprint")
    if place.exists():
        raise InputError("mark.exists", f"{place} is there already.", remedy="Move it away: its secret stays.")
    with operating.operation(manifest, "model fingerprint") as operation:
        taken = take(manifest, "T3.fingerprint", "mark.fingerprint")
        secret = provided("mark.commit")(
            manifest, "fingerprint", taken.body, files=taken.files, signer=chosen.signer, now=store.utc_now()
        )
        operation.results["model"] = f"fingerprint taken by {chosen.note.name}"
    value = {"commitment": str(place), "secret": str(secret), "vkey": provided("mark.vkey")(manifest)}
    lines = [
        f"{place}: the commitment, signed by {chosen.note.name} and entered into the log marks/.",
        "Have a witness vouch for it before the release: fivefold model mark --witness URL.",
    ]
    say(json=json, value=value, lines=lines)


def claim(
    where: _Where = Path(),
    out: Annotated[Path, typer.Option(help="File for the claim.", metavar="FILE")] = Path("claim.json"),
    *,
    form: Annotated[str, typer.Option(help="Which mark: weights, triggers, fingerprint or rows.")] = "weights",
    questions: Annotated[
        Path | None,
        typer.Option(help="File for the questions, to put to the suspect: CSV, of images npz.", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> None:
    """Open your mark's secret: a file with which anybody can hold a suspect against it.

    Do it only when a copy has turned up: whoever has the file can also remove the mark.

    Example: [bold]fivefold model claim --in my-app --out claim.json[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.errors import InputError
    from fivefold.keys import store
    from fivefold.manifest.reader import read

    for one in (out, *([questions] if questions else [])):
        if one.exists():
            raise InputError("mark.exists", f"{one} is there already.", remedy="Name another file.")
    data = provided("mark.claim")(read(where, may_lack=frozenset({"model.signature"})), form)
    if questions is not None:
        store.write_private(questions, provided("mark.asked")(data, questions.suffix))
    store.write_private(out, data)
    say(json=json, value={"claim": str(out)}, lines=[f"{out}: the opened mark, with its commitment and proof."])


def own(
    suspect: Annotated[
        Path,
        typer.Argument(help="Its weights (.safetensors, .npz, .onnx), or a CSV of its answers in the last column."),
    ],
    claimed: Annotated[Path, typer.Option("--claim", help="The claim (fivefold model claim).", metavar="FILE")],
    released: Annotated[
        str,
        typer.Option(
            help="Day (UTC) on which the model, or the oldest public one it was made from, was first seen: 2026-12-01."
        ),
    ],
    rival: Annotated[
        Path | None, typer.Option(help="Another's claim on the same suspect: which of the two holds.", metavar="FILE")
    ] = None,
    *,
    trust: Annotated[Path | None, typer.Option(help="Trust file (default: your own).", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Say whether a suspect is a copy of a claimed model; exit code 1 if not, or if the claim does not hold.

    Needs nothing but the files: the claim's commitment must be signed by a signer, stand in a log and be vouched for by
    a witness whom you trust, at or before [bold]--released[/bold]. Then the mark is read from the suspect.

    Example: [bold]fivefold model own suspect.onnx --claim claim.json --released 2026-12-01[/bold]
    """
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    known, now = trust_file.read(store.read_trust(trust)), store.utc_now()
    found = [
        provided("mark.judge")(_bytes(path), suspect, trust=known, now=now, released=released)
        for path in (claimed, rival)
        if path is not None
    ]
    values = [_judged(one) for one in found]
    winner = provided("mark.first")(*found) if rival is not None else 0
    value: dict[str, Any] = {"claims": values, "holds": winner == 0 and found[0].copy}
    lines = [line for one in values for line in _lines(one)]
    if rival is not None:
        lines.append(f"Of the two, the claim of {values[winner]['holder']} holds: it was committed to first, or alone "
                     "is read from the suspect.")  # fmt: skip
    say(json=json, value=value, lines=lines)
    sys.exit(EXIT_DONE if value["holds"] else EXIT_FAILED)


def _is_marked(manifest: Manifest) -> bool:
    from fivefold.evidence import model_mark

    return bool(model_mark.stored(manifest))


def _witnessed(manifest: Manifest, url: str) -> list[dict[str, Any]]:
    from fivefold.cli._witnessed import told
    from fivefold.contract.registry import provided
    from fivefold.keys import store
    from fivefold.keys import trust as trust_file

    known = trust_file.read(store.read_trust())
    found = provided("mark.witness")(manifest, provided("record.witness.sender")(url), known, datetime.now(UTC))
    return [told(one, known) for one in found]


def _bytes(path: Path) -> bytes:
    """Return the file of a claim, or so much of it that its reader refuses it."""
    from fivefold.errors import InputError
    from fivefold.evidence import model_mark

    try:
        with path.open("rb") as file:
            return file.read(model_mark.MAX_CLAIM + 1)
    except OSError as error:
        raise InputError("mark.file", f"it cannot be read ({error.strerror}).", where=str(path)) from None


def _judged(found: Any) -> dict[str, Any]:
    committed, reading = found.committed, found.reading
    return {
        "holder": committed.known.holder, "key": committed.known.key, "form": committed.known.mark.form,
        "log": committed.origin, "index": committed.index, "since": committed.since,
        "witnesses": [{"name": name, "at": _stamp(time)} for name, time in committed.witnesses],
        "matched": reading.matched, "bits": reading.bits, "p": reading.p, "copy": found.copy,
    }  # fmt: skip


def _lines(one: dict[str, Any]) -> list[str]:
    vouched = ", ".join(f"{item['name']} at {item['at']}" for item in one["witnesses"])
    what = "bits are read from the suspect" if one["form"] == "weights" else "answers are those of the claim"
    odds = f"chance gives that with p = {one['p']:.2g}"
    if one["form"] == "fingerprint":
        odds = f"p = {one['p']:.2g}, approximate, by a panel that the claimant trained"
    word = "It is a copy" if one["copy"] else "That does not show a copy"
    if one["form"] == "rows":
        what = "marked rows are preferred in the variant that the key chose"
        word = "It was trained on them" if one["copy"] else "That does not show that it was trained on them"
    return [
        f"{one['holder']} committed to it in the log {one['log']} at {one['index']}, vouched for by {vouched}.",
        f"{one['matched']} of {one['bits']} {what}; {odds}.",
        f"{word}: claims are made at p of a millionth or less.",
    ]


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
