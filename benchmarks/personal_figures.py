"""``python -m benchmarks.personal_figures``: writes ``docs/figures/personal-data.md``, found and missed by kind."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from tests.truth.odd import odd

from benchmarks.peer_env import REPO, ensure
from benchmarks.personal_data import PINS, analyzed, best, generated
from benchmarks.personal_rows import KINDS, STRUCTURED, ours, score, sentences
from fivefold.governance.personal.verdict import Column, count
from fivefold.stats.proportion import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.personal_rows import Mark

SEED, TABLES = 310_275, 10
PAGE = REPO / "docs" / "figures" / "personal-data.md"


def main() -> None:
    """Measure, and write the page."""
    peer = str(ensure("personal", PINS))
    lines = ["# Personal data: found and missed\n", "Written by `python -m benchmarks.personal_figures`.\n"]
    with tempfile.TemporaryDirectory() as folder:
        for title, (texts, truth) in {
            "The other half of pii_presidio_synth_v2 (templates of odd number)": sentences("held-out"),
            "Half that the patterns were developed on (templates of even number)": sentences("develop"),
            f"Sentences of Presidio's generator, seed {SEED}": generated(peer, SEED, 3000),
        }.items():
            found = ours(texts)
            theirs = best(truth, analyzed(peer, texts, folder)[1])
            lines += [f"## {title}\n", f"{len(texts):,} sentences.\n", *_table(truth, found, theirs), ""]
    lines += ["## Odd columns\n", *_odd()]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(truth: list[list[Mark]], found: list[list[Mark]], theirs: dict[str, dict[str, float]]) -> Iterator[str]:
    yield "| kind | marks | precision | recall (95 % bounds) | F1 | letter by letter | Presidio's F1 |"
    yield "|---|---|---|---|---|---|---|"
    kinds = tuple(dict.fromkeys(KINDS.values()))
    loose, exact = score(truth, found, kinds), score(truth, found, kinds, exact=True)
    structured = score(truth, found, STRUCTURED)["all"], score(truth, found, STRUCTURED, exact=True)["all"]
    for kind in kinds:
        yield _row(kind, loose[kind], exact[kind], theirs.get(kind))
    yield _row("**all structured**", *structured, theirs["all"])


def _row(name: str, one: dict[str, float], exact: dict[str, float], theirs: dict[str, float] | None) -> str:
    marks = int(one["hits"] + one["missed"])
    low, high = clopper_pearson(int(one["hits"]), marks) if marks else (0.0, 1.0)
    other = f"{theirs['f1']:.3f}" if theirs else "-"
    recall = f"{one['recall']:.3f} ({low:.3f} to {high:.3f})"
    return f"| {name} | {marks} | {one['precision']:.3f} | {recall} | {one['f1']:.3f} | {exact['f1']:.3f} | {other} |"


def _odd() -> Iterator[str]:
    alarms = total = 0
    for seed in range(SEED, SEED + TABLES):
        cells = odd(np.random.default_rng(seed), 300, 400)
        columns = {name: Column(name) for name in cells}
        count(columns, {name: pa.array([one or None for one in some], pa.string()) for name, some in cells.items()})
        alarms += sum(column.verdict().personal for column in columns.values())
        total += len(columns)
    high = clopper_pearson(alarms, total)[1]
    yield f"{TABLES} tables of 300 columns, 400 rows: {alarms} of {total:,} columns called personal"
    yield f"({alarms / total:.2%}; at most {high:.2%} by the one-sided 95 % bound); demanded: at most 2 %."


if __name__ == "__main__":
    main()
