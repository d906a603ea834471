"""Sentences with marked personal data, and how many a finder finds: rows of the benchmark personal_data."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "pii_presidio_synth_v2" / "synth_dataset_v2.json.gz"
KINDS = {
    "CREDIT_CARD": "card", "PHONE_NUMBER": "phone", "EMAIL_ADDRESS": "email", "IBAN_CODE": "iban", "US_SSN": "us-ssn",
    "IP_ADDRESS": "ip", "DOMAIN_NAME": "url", "URL": "url", "US_DRIVER_LICENSE": "driver-licence",
    "ZIP_CODE": "postcode", "AGE": "age", "STREET_ADDRESS": "address", "PERSON": "name",
}  # fmt: skip
"""Marks of the data set to our kinds; others (organisations, places, titles, dates) are nothing that we look for."""
STRUCTURED = ("card", "phone", "email", "iban", "us-ssn", "ip", "url", "driver-licence")
"""Kinds with a written form that both sides look for."""

Mark = tuple[int, int, str]
"""First letter, letter after the last, kind."""


def sentences(half: str) -> tuple[list[str], list[list[Mark]]]:
    """Return texts and their marks: ``develop`` (templates of even number) or ``held-out`` (of odd number)."""
    with gzip.open(SHARED, "rt", encoding="utf-8") as file:
        rows: list[dict[str, Any]] = json.load(file)
    wanted = 0 if half == "develop" else 1
    rows = [row for row in rows if row["template_id"] % 2 == wanted]
    return [row["full_text"] for row in rows], [
        sorted((span["start_position"], span["end_position"], KINDS[span["entity_type"]])
               for span in row["spans"] if span["entity_type"] in KINDS)
        for row in rows
    ]  # fmt: skip


def score(
    truth: list[list[Mark]], found: list[list[Mark]], kinds: tuple[str, ...], *, exact: bool = False
) -> dict[str, dict[str, float]]:
    """Return hits, misses, false finds, precision, recall and F1 of each kind, and of all together (``all``).

    A find hits a mark of its kind that it shares at least half of its letters with (of both together), or, ``exact``,
    that has the very same letters; each mark is hit once.
    """
    hits: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for marks, finds in zip(truth, found, strict=True):
        left = [mark for mark in marks if mark[2] in kinds]
        for find in finds:
            if find[2] not in kinds:
                continue
            match = next((mark for mark in left if _same(mark, find, exact=exact)), None)
            if match is None:
                false[find[2]] += 1
            else:
                hits[find[2]] += 1
                left.remove(match)
        missed.update(mark[2] for mark in left)
    made = {kind: _rates(hits[kind], missed[kind], false[kind]) for kind in kinds}
    return made | {"all": _rates(hits.total(), missed.total(), false.total())}


def _same(mark: Mark, find: Mark, *, exact: bool) -> bool:
    if mark[2] != find[2]:
        return False
    if exact:
        return mark[:2] == find[:2]
    common = min(mark[1], find[1]) - max(mark[0], find[0])
    return 2 * common >= max(mark[1], find[1]) - min(mark[0], find[0])


def _rates(hits: int, missed: int, false: int) -> dict[str, float]:
    precision = hits / (hits + false) if hits + false else float("nan")
    recall = hits / (hits + missed) if hits + missed else float("nan")
    both = 2 * hits + missed + false
    return {"hits": hits, "missed": missed, "false": false, "precision": precision, "recall": recall,
            "f1": 2 * hits / both if both else float("nan")}  # fmt: skip


def ours(texts: list[str]) -> list[list[Mark]]:
    """Return what our engine finds, in letters."""
    from fivefold.governance.personal.find import find
    from fivefold.governance.personal.kinds import forms

    found, kind = find(texts), [form.kind for form in forms()]
    made: list[list[Mark]] = [[] for _ in texts]
    for row, start, end, form in zip(
        found.row.tolist(), found.start.tolist(), found.end.tolist(), found.form.tolist(), strict=True
    ):
        data = texts[row].encode()
        made[row].append((len(data[:start].decode()), len(data[:end].decode()), kind[form]))
    return made


def table(rows: int, rng: np.random.Generator, path: Path) -> list[list[str]]:
    """Write a table with personal data in three of its columns, and return the texts of its first 500 rows."""
    words = np.array(
        ["the", "pump", "was", "seen", "at", "noon", "and", "then", "we", "called", "about", "an", "order"]
    )
    digits = rng.integers(10, 99, (rows, 4)).tolist()
    notes = [" ".join(some) for some in words[rng.integers(0, len(words), (rows, 9))].tolist()]
    hit = (rng.random(rows) < 0.05).tolist()
    amounts, days = rng.lognormal(3, 1, rows).round(2).tolist(), rng.integers(1, 29, rows).tolist()
    made = []
    with path.open("w", encoding="utf-8") as file:
        file.write("id,contact,reach,amount,day,code,note\n")
        for at, (a, b, c, d) in enumerate(digits):
            note = f"{notes[at]} mail a{a}.b{b}@ex{c}.org" if hit[at] else notes[at]
            row = [f"u{at}@mail{a}.example.org", f"+49 {a}{b} {c}{d}1", f"A{a}-{b}{c}", note]
            if at < 500:
                made.append(row)
            file.write(f"{at},{row[0]},{row[1]},{amounts[at]},2020-01-{days[at]:02d},{row[2]},{row[3]}\n")
    return made
