"""The pictures of the case: shares before and after, and what results lean on first, beside what doctors name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.cases.dosage.picture import OPEN
from fivefold.cases.immigrant.picture import drawn as pairs
from fivefold.cases.screening.case import READ, as_table
from fivefold.cases.screening.doctors import DOCTORS, ranked
from fivefold.cases.screening.screening import SHORTCUT, Screening
from fivefold.explanation.explainer import Question, ours

if TYPE_CHECKING:
    from fivefold.cases.nouns import Told
    from fivefold.cases.screening.case import Region

_LINE, _LEFT, _WIDE, _TOP = 46, 110, 420, 62
_BACKGROUND, _PAIRS = 200, 24
_COLOURS = {"doctors": "#8c8c8c", "before": "#c44e52", "after": "#4878a8"}


def shares(told: Told) -> str:
    """Return an SVG of the shares before and after, in per cent; regions are told in words."""
    return pairs(replace(told, before=told.before[:-1], after=told.after[:-1]))


def reasons(one: Region) -> str:
    """Return an SVG: of the results of one region, how many lean on each column first, and how many doctors do.

    Args:
        one: The region; the first people who were screened are explained.
    """
    names = [str(name) for name in one.asked.rows.columns]
    said = np.concatenate([ranked(one.asked, doctor)[:READ, 0] for doctor in DOCTORS])
    found = {"doctors": {name: float((said == name).mean()) for name in names}}
    for word, without in (("before", ()), ("after", (SHORTCUT,))):
        first = _first(one, without)
        found[word] = {name: float((first == name).mean()) for name in names}
    order = sorted(names, key=lambda name: -max(part[name] for part in found.values()))
    order = [name for name in order if max(part[name] for part in found.values()) > 0]
    return _drawn(order, found)


def _first(one: Region, without: tuple[str, ...]) -> np.ndarray:
    """Return (READ,) the column with the largest credit for each of the first people."""
    model = Screening(one.learned, without)
    test, train = as_table("test", one.asked, without), as_table("train", one.learned, without)
    both = [test.features[:READ], train.features[:_BACKGROUND]]
    rows = pd.concat(both, ignore_index=True)

    def ask(cells: np.ndarray) -> np.ndarray:
        frame = pd.DataFrame({name: rows[name].take(cells[:, at]).to_numpy() for at, name in enumerate(rows.columns)})
        return model.predict_proba(test.take(np.zeros(len(frame), dtype=np.int64)).with_features(frame))

    told = model.predict(test.take(np.arange(READ)))
    question = Question(ask, READ, np.zeros(rows.shape), told, _PAIRS, 50_000)
    credit = ours(question, np.random.Generator(np.random.PCG64(7)))
    return np.asarray(np.array([str(name) for name in rows.columns], dtype=object)[np.abs(credit).argmax(axis=1)])


def _drawn(order: list[str], found: dict[str, dict[str, float]]) -> str:
    parts = [f'<text x="8" y="18" font-weight="bold">The first reason of {READ} results, and of three doctors</text>']
    for at, (word, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + 110 * at
        parts.append(f'<rect x="{x}" y="32" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="43">{word}</text>')
    scale = _WIDE / max(share for part in found.values() for share in part.values())
    for at, name in enumerate(order):
        top = _TOP + at * _LINE
        parts.append(f'<text x="{_LEFT - 8}" y="{top + 24}" text-anchor="end">{name}</text>')
        for row, (word, colour) in enumerate(_COLOURS.items()):
            share, y = found[word][name], top + 13 * row
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{scale * share:.1f}" height="11" fill="{colour}"/>')
            parts.append(f'<text x="{_LEFT + scale * share + 5:.0f}" y="{y + 10}">{100 * share:.0f} %</text>')
    tall = _TOP + len(order) * _LINE + 6
    return OPEN.format(wide=600, tall=tall, title="First reasons by column") + "".join(parts) + "</svg>\n"
