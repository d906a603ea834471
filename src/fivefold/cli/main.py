"""The command line: a table of commands, imported one at a time so that each stays as light as it can be."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fivefold import __version__
from fivefold.errors import FivefoldError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Command:
    """One command: where it lives and the line that ``--help`` shows before it is imported.

    Attributes:
        target: ``module:function`` below ``fivefold.cli``.
        help: One line.
        panel: Heading under which ``--help`` lists it.
    """

    target: str
    help: str
    panel: str = "Commands"


_START, _RUN, _TRUST = "Start", "Measure and read", "Keys, trust and exemptions"
_RECORD, _FEDERATE = "What happened", "Train together"

COMMANDS: dict[str, Command] = {
    "init": Command("init:init", "Propose a manifest from a table and a model.", _START),
    "classify": Command("classify:classify", "Which level an application's use asks for, and why.", _START),
    "plan": Command("plan_:plan", "Show what binds, why and what it will cost.", _START),
    "list": Command("show:list_", "List every row of the catalogue and what is built.", _START),
    "explain": Command("show:explain", "Explain a row, claim, check or level.", _START),
    "assess": Command("assess_:assess", "Attack and measure the application; leave signed evidence.", _RUN),
    "report": Command("report_:report", "Render evidence as HTML, JSON or for the terminal.", _RUN),
    "verify": Command("verify:verify", "Check evidence offline: who signed what, and what was changed.", _RUN),
    "gate": Command("gate:gate", "Let a build through only if sealed evidence attains the level.", _RUN),
    "case": Command("case:case", "Run a challenge case, before and after.", _RUN),
    "key new": Command("keys_:key_new", "Make a signing key.", _TRUST),
    "trust add": Command("keys_:trust_add", "Trust a public key in a role.", _TRUST),
    "trust revoke": Command("keys_:trust_revoke", "Stop trusting a key from now on.", _TRUST),
    "trust list": Command("keys_:trust_list", "Show whom you trust, in which role, until when.", _TRUST),
    "waive": Command("waive:waive", "Let a claim pass for a while: two officers, two keys.", _TRUST),
    "data label": Command("data_:label", "Sign each data set's label over its bytes.", _TRUST),
    "data check": Command("data_:check", "Verify the labels of an application's data.", _TRUST),
    "data release": Command("release_:release", "Release statistics with noise, paid from a privacy budget.", _RUN),
    "data budget": Command("release_:budget", "Show what of each source's privacy budget is spent.", _RUN),
    "data rename-source": Command("release_:rename_source", "Rename a source in the ledger: two officers.", _TRUST),
    "model train": Command("train_:train", "Learn a model privately, on encrypted rows, or against attacks.", _RUN),
    "model serve": Command("encrypted_:serve", "Score encrypted rows; the server has no key.", _RUN),
    "model score": Command("encrypted_:score", "Have rows scored while they stay encrypted.", _RUN),
    "data filter": Command("filter_:filter_", "Hold back rows that the others contradict, with reasons.", _TRUST),
    "data scan": Command("scan_:scan", "Find personal data in files, before they go anywhere.", _TRUST),
    "data mark": Command("mark_:rows", "Write a marked copy that a model trained on it gives away.", _TRUST),
    "data mask": Command("mask_:mask", "Write a copy with pseudonyms or stars for personal data.", _TRUST),
    "data anonymity": Command("mask_:anonymity", "Say how many rows share what may be known of a person.", _TRUST),
    "model sign": Command("model_:sign", "Sign the model's files (OpenSSF model signing).", _TRUST),
    "model provenance": Command("provenance_:provenance", "Sign what a model was made of, and by whom.", _TRUST),
    "model mark": Command("mark_:mark", "Put a secret mark into the weights, and commit to it.", _TRUST),
    "model triggers": Command("mark_:triggers", "Draw questions with keyed answers for the model to learn.", _TRUST),
    "model fingerprint": Command("mark_:fingerprint", "Take what tells the model by its answers, unchanged.", _TRUST),
    "model claim": Command("mark_:claim", "Open the mark's secret, so that anybody can verify it.", _TRUST),
    "model own": Command("mark_:own", "Say whether a suspect is a copy of a claimed model.", _TRUST),
    "model convert": Command("convert:convert", "Say why a model file is refused and how to export it.", _TRUST),
    "model verify": Command("model_:verify", "Verify the model's signature.", _TRUST),
    "guard serve": Command("guard_:serve", "Serve the model behind its manifest (Open Inference Protocol v2).", _RUN),
    "guard queue": Command("queue_:queue", "Show and decide the cases that wait for a person.", _RUN),
    "guard benefit": Command("guard_:benefit", "Show what good the application does, against its target.", _RUN),
    "guard drill": Command("drill_:drill", "Leave each stage of the guard out in turn, under attack.", _RUN),
    "guard token": Command("guard_:token", "Issue, list and revoke the tokens of those who ask.", _RUN),
    "appeal file": Command("appeal_:file", "Challenge a decision by its receipt.", _RECORD),
    "appeal list": Command("appeal_:list_", "List the appeals that wait for a person.", _RECORD),
    "appeal show": Command("appeal_:show", "Show an appeal, its decision and its reason.", _RECORD),
    "appeal examine": Command("appeal_:examine", "Replay and explain, where filing was interrupted.", _RECORD),
    "appeal decide": Command("appeal_:decide", "Review an appeal as somebody else, and remedy it.", _RECORD),
    "appeal verify": Command("appeal_:verify", "Prove an appeal's whole course from the log.", _RECORD),
    "appeal stats": Command("appeal_:stats", "Who appeals and what is changed, and what is systemic.", _RECORD),
    "federate key": Command("federate_:key", "Make a client's key for a federation.", _FEDERATE),
    "federate new": Command("federate_:new", "Write what all parties agree on, and a Flower app.", _FEDERATE),
    "federate try": Command("federate_:try_", "Rehearse on this machine: server, clients, one run.", _FEDERATE),
    "federate serve": Command("federate_:serve", "Start the server (Flower's SuperLink).", _FEDERATE),
    "federate join": Command("federate_:join", "Join as a client (Flower's SuperNode), masked.", _FEDERATE),
    "federate run": Command("federate_:run", "Have an app trained by the clients that joined.", _FEDERATE),
    "record show": Command("record_:show", "Show one record.", _RECORD),
    "record search": Command("record_:search", "Find records by case, person, kind and time.", _RECORD),
    "record trace": Command("trace_:trace", "What led to a record, down to data and people, and back.", _RECORD),
    "record replay": Command("replay_:replay", "Ask the model again what was asked, and compare bit for bit.", _RECORD),
    "record diagnose": Command("diagnose_:diagnose", "Say what sets a decision apart from those before it.", _RECORD),
    "record prove": Command("record_:prove", "Prove that a record stands in the log, in a file.", _RECORD),
    "record fsck": Command("record_:fsck", "Read the whole record again and name what does not hold.", _RECORD),
    "record checkpoint": Command("record_:checkpoint", "Print the newest checkpoint, to keep elsewhere.", _RECORD),
    "record vkey": Command("witness_:vkey", "Print the record's key in one line, for a witness.", _RECORD),
    "record cosign": Command("witness_:cosign", "Have a witness vouch for the newest checkpoint.", _RECORD),
    "record witness": Command("witness_:witness", "Be a witness: cosign checkpoints of others' records.", _RECORD),
    "record tiles": Command("tiles_:tiles", "Write the log as static files that anybody can verify.", _RECORD),
    "record serve": Command("serve_:serve", "Take records over HTTP, from programs in other languages.", _RECORD),
    "record erase": Command("record_:erase", "Destroy a person's keys; proofs go on to hold.", _RECORD),
    "record archive": Command("archive_:archive", "Put what is sealed into object storage.", _RECORD),
    "record retention": Command("retention_:retention", "Forget people whose term is over.", _RECORD),
    "record export": Command("record_:export", "Write records as CloudEvents, OTLP, W3C PROV or XES.", _RECORD),
}

GROUPS = {
    "key": "Signing keys.",
    "trust": "Whom you trust, in which role.",
    "data": "Data sets: their labels, their rows, and what is released of them.",
    "model": "The model and its signature.",
    "guard": "The model, served behind its manifest.",
    "federate": "Training on rows that stay where they are; the server sees sums alone.",
    "record": "The record of what happened.",
    "appeal": "A decision challenged: filed, replayed, explained, reviewed by somebody else, remedied.",
}


def _stub() -> None:
    """Stand in for a command that is only listed."""


def _load(command: Command) -> Callable[..., Any]:
    module, _, name = command.target.partition(":")
    loaded = getattr(importlib.import_module(f"fivefold.cli.{module}"), name)
    if not callable(loaded):
        raise TypeError(command.target)
    return loaded  # type: ignore[no-any-return]


def _version(*, wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"fivefold {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=lambda v: _version(wanted=v))
    ] = False,
) -> None:
    """Hold an AI application to five objectives: attack it, measure it, sign the evidence, say the level."""


def build(words: list[str]) -> typer.Typer:
    """Return the application with the one command in ``words`` imported and all others as one-line stubs."""
    settings: dict[str, Any] = {"no_args_is_help": True, "pretty_exceptions_enable": False, "rich_markup_mode": "rich"}
    app = typer.Typer(name="fivefold", add_completion=False, **settings)
    app.callback()(_root)
    groups: dict[str, typer.Typer] = {}
    chosen = next((name for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), None)
    for name, command in COMMANDS.items():
        function = _load(command) if name == chosen else _stub
        group, _, verb = name.rpartition(" ")
        help_text = None if name == chosen else command.help
        if not group:
            app.command(name, help=help_text, short_help=command.help, rich_help_panel=command.panel)(function)
            continue
        if group not in groups:
            groups[group] = typer.Typer(help=GROUPS[group], **settings)
            app.add_typer(groups[group], name=group, rich_help_panel=command.panel)
        groups[group].command(verb, help=help_text, short_help=command.help)(function)
    return app


def _crash_note() -> str:
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "fivefold"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        note = folder / "crash.txt"
        note.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return "The details could not be written."
    return f"The details are in {note}; please report them."


def run(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code; errors are shown with code and remedy."""
    from fivefold.cli._io import EXIT_REFUSED, exit_code, show_error

    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        build(words)(args=words)
    except FivefoldError as error:
        show_error(error, json="--json" in words)
        sys.exit(exit_code(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_REFUSED)
    except Exception as error:  # noqa: BLE001  the last line of defence: no traceback for people
        fault = FivefoldError(
            "internal", f"something unexpected happened ({type(error).__name__}).", remedy=_crash_note()
        )
        show_error(fault, json="--json" in words)
        sys.exit(EXIT_REFUSED)
