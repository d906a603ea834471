"""Check D2.confidentiality: personal identifiers in columns that no label declares personal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.contract.finding import Canary, Measure, Result
from fivefold.contract.outcome import Outcome
from fivefold.governance.quality import reading
from fivefold.governance.quality.judging import Part, named, of_shares, picture, worst
from fivefold.manifest import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from fivefold.contract.check import Context
    from fivefold.contract.subject import Table

FLOOR = "max_personal"
_CASES = 6
_MOST = 0.9
_LONGEST = 2000
_REMEDY = (
    "Take the identifiers out of the columns named, or declare them: `label: {personal: [COLUMN], basis: ...}` under "
    "the data set. `drop:` keeps a column from the model."
)


def _luhn(digits: str) -> bool:
    """Whether the check digit of a card number holds (ISO/IEC 7812-1)."""
    values = [int(one) for one in reversed(digits)]
    doubled = (sum(divmod(2 * one, 10)) for one in values[1::2])
    return (sum(values[::2]) + sum(doubled)) % 10 == 0


def _card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and _luhn(digits) and len(set(digits)) > 1


def _iban(found: str) -> bool:
    """Whether the check digits of an account number hold (ISO 13616, mod 97)."""
    plain = found.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _always(_found: str) -> bool:
    return True


_PHONE = re.compile(
    r"(?<![\w+.])(?:"
    r"\+\d{1,3}[ ./-]?(?:\(?\d{1,4}\)?[ ./-]?){2,5}\d{2,4}|\(\d{3}\) ?\d{3}-\d{4}|0\d{2,4}[ /]\d{5,8}"
    r")(?![\w.])"
)
_PATTERNS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("an e-mail address", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"), _always),
    ("an account number (IBAN)", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"), _iban),
    ("a card number", re.compile(r"(?<![\d.-])(?:\d[ -]?){12,18}\d(?![\d.])"), _card),
    ("a US social security number", re.compile(r"(?<!\d)(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!\d)"), _always),
    ("a telephone number", _PHONE, _always),
    (
        "an internet address",
        re.compile(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"),
        _always,
    ),
)  # fmt: skip


def run(context: Context) -> Result:
    """Look for identifiers of people in every cell, by their written form and check digits.

    Threat: personal data travel in a comment or an id column, without ground, purpose or anybody knowing.
    Limit: names, addresses in words and rare combinations that single a person out are not recognised by form.

    Args:
        context: Data sets ``train`` and ``test``; ``settings.personal``; threshold ``max_personal``.

    Raises:
        UnsupportedError: See :func:`fivefold.governance.quality.reading.each`.
    """
    floor, declared = context.thresholds[FLOOR], set(context.settings.personal)
    parts: list[Part] = []
    hinted: list[str] = []

    def look(table: Table) -> None:
        names = [name for name, _ in reading.columns(table)]
        for at, (name, column) in enumerate(reading.columns(table)):
            if name in declared:
                continue
            parts.append(_column(f"{name} ({table.name})", column, context.rows))
            if words.reaches_a_person(name) or name in context.settings.protected:
                hinted.append(f"{name} ({table.name})")
            context.progress(0.8 * at / len(names), "looking for identifiers")

    _, proof = reading.proven(context, look, _prove)
    measures = of_shares("cells with an identifier of a person, undeclared", parts, floor) if parts else ()
    outcome = worst(measures) if measures else Outcome.PASS
    outcome = outcome if proof.noticed else Outcome.INCONCLUSIVE
    shown = [
        Measure(name="columns about people that no label declares personal", unit="columns", where=where, n=0,
                value=1.0, note="By its name, or as a protected column; not judged.")
        for where in hinted[:12]
    ]  # fmt: skip
    return Result(
        outcome=outcome,
        reason=_reason(outcome, proof, measures, len(parts)),
        measures=(*measures, *shown),
        canary=proof,
        plots=picture("Cells with an identifier of a person", parts, floor, "share of the cells looked at"),
        limits=(
            "Found by written form: names, addresses in words and combinations that single somebody out are not seen.",
            f"At most {context.rows} different cells of a column were read, of long ones the first {_LONGEST} letters.",
        ),
        remedy="" if outcome is Outcome.PASS else _REMEDY,
    )


def _reason(outcome: Outcome, proof: Canary, measures: tuple[Measure, ...], columns: int) -> str:
    if not proof.noticed:
        return "Planted identifiers were not noticed, so nothing is concluded."
    if outcome is Outcome.FAIL:
        return f"Identifiers of people stand in columns that are not declared personal: {named(measures)}."
    return f"No identifier of a person was found in {columns} columns that are not declared personal."


def _column(where: str, column: pd.Series, most: int) -> Part:
    """Count cells with an identifier; whole numbers are looked at as card numbers only."""
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_bool_dtype(column):
        return Part(where, 0, int(column.notna().sum()))
    if not reading.is_text(column):
        values = column.dropna().to_numpy(dtype=np.float64)
        large = (values >= 1e12) & (values < 1e16) & (values == np.floor(values))
        texts = [f"{value:.0f}" for value in values[large][:most].tolist()]
        bad = sum(_card(text) for text in texts)
        share = bad / len(texts) if texts else 0.0
        # one number in ten has a right check digit by chance
        return Part(where, bad if share > 0.5 else 0, len(values), "Many are card numbers." if share > 0.5 else "")
    found = reading.texts(column)
    levels, counts = found.levels, found.counts
    if len(levels) > most:
        levels, counts = levels[:most], counts[:most]
    series = pd.Series(levels, dtype=object).astype(str).str.slice(0, _LONGEST)
    hit, said = np.zeros(len(levels), dtype=bool), ""
    for name, pattern, holds in _PATTERNS:
        near = series.str.contains(pattern).to_numpy(dtype=bool) if len(series) else hit
        mine = [at for at in np.flatnonzero(near).tolist() if _any(pattern, holds, series.iloc[at])]
        if mine:
            said = said or f"For example {name}."
            hit[mine] = True
    return Part(where, int(counts[hit].sum()), int(counts.sum()), said)


def _any(pattern: re.Pattern[str], holds: Callable[[str], bool], text: str) -> bool:
    return any(holds(one.group()) for one in pattern.finditer(text))


_PLANTS = (
    "please write to k.mueller{0}@example.org", "DE89 3704 0044 0532 0130 00", "card 4539 1488 0343 6467 was charged",
    "his number is 536-90-44{0:02d}", "call +49 30 1234{0:03d}0 after nine", "seen from 203.0.113.{0}",
)  # fmt: skip


def _prove(table: Table, context: Context) -> Canary:
    """Write an identifier into three times the allowed share of cells of a drawn column."""
    rng, floor = context.rng, context.thresholds[FLOOR]
    sources = [column for _, column in reading.columns(table) if reading.is_text(column) and column.notna().any()]
    found = alarms = cases = 0
    for case in range(_CASES):
        n = 400
        if sources:
            column = sources[int(rng.integers(len(sources)))].dropna()
            clean = pd.Series(rng.choice(column.to_numpy(dtype=object), n), dtype=object)
        else:
            clean = pd.Series([f"type {value}" for value in rng.integers(0, 9, n)], dtype=object)
        before = _column("clean", clean, context.rows).share
        if before > floor:  # the user's own column holds some already
            clean = pd.Series([f"type {value}" for value in rng.integers(0, 9, n)], dtype=object)
            before = _column("clean", clean, context.rows).share
        spoilt = clean.copy()
        places = rng.choice(n, int(np.ceil(min(3 * floor, _MOST) * n)) + 1, replace=False)
        for place in places:
            spoilt.iloc[place] = _PLANTS[case].format(int(rng.integers(10, 99)))
        cases += 1
        alarms += before > floor
        found += _column("spoilt", spoilt, context.rows).share > floor
    return Canary(
        kind="identifiers written into a column",
        planted=cases,
        found=found,
        clean=cases,
        false_alarms=alarms,
        noticed=found == cases and alarms == 0,
        detail=f"E-mail, account, card, security, telephone numbers in {min(3 * floor, _MOST):.1%} of the cells.",
    )
