"""Page: a readable model on one printed page, and the model read back from what is printed there.

There is one way to print a model. A page counts only if the model that is read from it is printed to these very bytes:
nothing can stand on it that a reader does not see, and no picture can say other than its table.
"""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fivefold.errors import InputError
from fivefold.explanation.antehoc.form import Condition, Model, Rule, Term, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_BYTES = 2 << 20
_DAY = np.datetime64("1970-01-01", "D")
_WIDTH, _HEIGHT = 120, 32
_MOST_CURVES = 4
_MOST_TOTALS = 60
_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>What the model goes by</title>
<style>
@page{size:A4;margin:12mm}
body{font:9pt/1.3 system-ui,sans-serif;max-width:62em;margin:1em auto;padding:0 1em;color:#111;background:#fff}
h1{font-size:14pt;margin:0}h2{font-size:10pt;margin:0}section p{margin:0}
main{columns:3 16em;column-gap:1.5em}section{break-inside:avoid;margin:0 0 .8em}
table{border-collapse:collapse;width:100%}td,th{padding:0 .4em 0 0;text-align:left;font-weight:400}
td,th{overflow-wrap:anywhere}
td:last-child,td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
tr{border-bottom:1px solid #ddd}
i{color:#555}svg{width:100%;height:3em;display:block}
path{fill:none;stroke:#1a56a8;stroke-width:1.5;vector-effect:non-scaling-stroke}
line{stroke:#999;vector-effect:non-scaling-stroke}
dl{display:flex;flex-wrap:wrap;gap:0 1.5em;margin:.4em 0}dt,dd{display:inline;margin:0}
</style>
"""


def render(model: Model) -> str:
    """Return a model as a page of HTML that needs nothing else.

    Args:
        model: As :func:`fivefold.explanation.antehoc.form.require` wants it.
    """
    facts: list[tuple[str, str]] = [("form", model.form), ("answers", model.task)]
    facts += [("class", one) for one in model.classes]
    if model.form != "rules":
        facts += [("base", _number(one)) for one in model.base] + [("weight of the sum", _number(model.scale))]
    told = "".join(f"<div><dt>{name}</dt> <dd>{escape(text, quote=False)}</dd></div>\n" for name, text in facts)
    body = _rules(model) if model.form == "rules" else _terms(model)
    return f"{_HEAD}<h1>What the model goes by</h1>\n<dl>\n{told}</dl>\n<p>{_how(model)}</p>\n{body}</html>\n"


def _how(model: Model) -> str:
    """Return in words how an answer is had from the page."""
    if model.form == "rules":
        what = "the value" if model.task == "regression" else "the chance of each class; the largest is the answer"
        return f"Try the rules from the top. The first whose conditions all hold tells {what}."
    weigh = "" if model.scale == 1.0 else ", multiply the sum by its weight"
    add = f"Look up what each column adds{weigh}, and add the base."
    if model.task == "regression":
        return f"{add} That is the value."
    if model.task == "binary":
        second = escape(model.classes[1], quote=False)
        return (
            f"{add} That is the log-odds s of {second}; its chance is 1 / (1 + e<sup>-s</sup>), and it is the answer "
            "where s is above 0. A step from a number holds that number, one below it does not."
        )
    return f"{add} Do so for each class: the largest s is the answer, and chances go as e<sup>s</sup>."


def _terms(model: Model) -> str:
    made = [_section(term, model) for term in model.terms]
    if model.form == "points" and model.task == "binary":
        made.append(_totals(model))
    return f"<main>\n{''.join(made)}</main>\n"


def _section(term: Term, model: Model) -> str:
    rows = [_row(label, values) for label, values in zip(_labels(term), (*term.adds, term.missing), strict=True)]
    head = "" if model.width == 1 else (
        "<tr><th></th>" + "".join(f"<th>{escape(one, quote=False)}</th>" for one in model.classes) + "</tr>\n"
    )  # fmt: skip
    picture = _picture(term) if term.kind != "text" and len(term.cuts) else ""
    name = escape(term.column, quote=False)
    table = f"<table>\n{head}{''.join(rows)}</table>\n"
    return f"<section>\n<h2>{name}</h2>\n<p><i>{term.kind}</i></p>\n{picture}{table}</section>\n"


def _row(label: str, values: Iterable[float]) -> str:
    return f"<tr><td>{label}</td>" + "".join(f'<td class="n">{_number(one)}</td>' for one in values) + "</tr>\n"


def _labels(term: Term) -> list[str]:
    if term.kind == "text":
        return [*(f"<b>{escape(name, quote=False)}</b>" for name in term.names), "<i>any other</i>", "<i>missing</i>"]
    marks = [f"<b>{_mark(cut, term.kind)}</b>" for cut in term.cuts]
    if not marks:
        return ["<i>any</i>", "<i>missing</i>"]
    between = [f"from {low} below {high}" for low, high in pairwise(marks)]
    return [f"below {marks[0]}", *between, f"from {marks[-1]}", "<i>missing</i>"]


def _mark(cut: float, kind: str) -> str:
    return str(_DAY + int(cut)) if kind == "date" else _number(cut)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _picture(term: Term) -> str:
    """Return the steps as a small picture: equal widths, one line a class."""
    told = np.array(term.adds)[:, :_MOST_CURVES] + 0.0  # no sign of zero, which is not printed either
    low, high = min(float(told.min()), 0.0), max(float(told.max()), 0.0)
    scale = _HEIGHT / ((high - low) or 1.0)
    wide = _WIDTH / len(told)
    lines = []
    for curve in told.T:
        at = [(round(step * wide, 1), round((high - one) * scale, 1)) for step, one in enumerate(curve)]
        lines.append("".join(f"{'L' if step else 'M'}{x} {y}H{round(x + wide, 1)}" for step, (x, y) in enumerate(at)))
    paths = "".join(f'<path d="{one}"/>' for one in lines)
    zero = round(high * scale, 1)
    return (
        f'<svg viewBox="0 -2 {_WIDTH} {_HEIGHT + 4}" preserveAspectRatio="none" aria-hidden="true">'
        f'<line x1="0" x2="{_WIDTH}" y1="{zero}" y2="{zero}"/>{paths}</svg>\n'
    )


def _totals(model: Model) -> str:
    """Return the chance that each sum of points stands for."""
    parts = [[one[0] for one in (*term.adds, term.missing)] for term in model.terms]
    low, high = int(sum(map(min, parts))), int(sum(map(max, parts)))
    every = max(1, -(-(high - low) // _MOST_TOTALS))
    score = [(total, model.base[0] + model.scale * total) for total in range(low, high + 1, every)]
    rows = "".join(
        f"<tr><td>{total}</td><td>{100 / (1 + np.exp(-np.clip(one, -700, 700))):.1f} %</td></tr>\n"
        for total, one in score
    )
    second = escape(model.classes[1], quote=False)
    return f"<section>\n<h2>Points and the chance of {second}</h2>\n<table>\n{rows}</table>\n</section>\n"


def _rules(model: Model) -> str:
    names = model.classes or ("value",)
    head = "<tr><th>rule</th>" + "".join(f"<th>{escape(one, quote=False)}</th>" for one in names) + "</tr>\n"
    rows = [_row(" and ".join(map(_condition, rule.when)), rule.answer) for rule in model.rules]
    rows.append(_row("<i>else</i>", model.otherwise))
    return f"<table>\n{head}{''.join(rows)}</table>\n"


def _condition(one: Condition) -> str:
    column = f"<em>{escape(one.column, quote=False)}</em> <small>({one.kind})</small>"
    if one.test == "missing":
        return f"{column} missing"
    mark = escape(one.name, quote=False) if one.kind == "text" else _mark(one.cut, one.kind)
    return f"{column} {one.test} <b>{mark}</b>"


def read(text: str) -> Model:
    """Return the model that a page shows.

    Args:
        text: The page.

    Raises:
        InputError: ``antehoc.page`` if it is not a page that :func:`render` gives, to the last character.
    """
    if len(text) > MOST_BYTES:
        raise _unreadable("it is too large")
    reader = _Reader()
    try:
        reader.feed(text)
        reader.close()
        model = require(_model(reader))
        same = render(model) == text
    except (ValueError, KeyError, IndexError, OverflowError, msgspec.ValidationError, InputError) as error:
        raise _unreadable("it does not show a model in the printed form") from error
    if not same:
        raise _unreadable("something stands on it, or is left out, that the model read from it does not print")
    return model


def _unreadable(why: str) -> InputError:
    return InputError("antehoc.page", f"the page cannot be read: {why}.",
                      remedy="Print it again: fivefold model train --explainable FORM.")  # fmt: skip


class _Reader(HTMLParser):
    """What is printed: facts, column names, kinds, and rows as the texts of their marked parts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.facts: list[list[str]] = []
        self.sections: list[dict[str, Any]] = []
        self.rows: list[list[list[tuple[str, str]]]] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._tag = tag
        if tag in ("dt", "dd"):
            self.facts.append([tag, ""])
        elif tag == "section":
            self.rows = []
            self.sections.append({"name": "", "kind": "", "rows": self.rows})
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append([])
        if tag in ("td", "th", "b", "i", "em", "small") and self.rows and self.rows[-1]:
            self.rows[-1][-1].append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("b", "i", "em", "small") and self.rows and self.rows[-1]:
            self._tag = "td"
            self.rows[-1][-1].append(("td", ""))
        elif tag != "td":
            self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in ("dt", "dd"):
            self.facts[-1][1] += data
        elif self._tag == "h2":
            self.sections[-1]["name"] += data
        elif self.rows and self.rows[-1] and self._tag in ("td", "th", "b", "i", "em", "small"):
            tag, text = self.rows[-1][-1][-1]
            self.rows[-1][-1][-1] = (tag, text + data)
        elif self._tag == "i" and self.sections:
            self.sections[-1]["kind"] += data


def _model(reader: _Reader) -> Model:
    names, texts = [one[1] for one in reader.facts[::2]], [one[1] for one in reader.facts[1::2]]
    facts = list(zip(names, texts, strict=True))
    classes = tuple(text for name, text in facts if name == "class")
    made: dict[str, Any] = {"form": dict(facts)["form"], "task": dict(facts)["answers"], "classes": classes}
    if made["form"] == "rules":
        rows = [row for row in reader.rows if row[0][0][0] == "td"]
        made["rules"] = [msgspec.to_builtins(Rule(when=_when(row[0]), answer=_values(row))) for row in rows[:-1]]
        made["otherwise"] = _values(rows[-1])
    else:
        made["base"] = tuple(float(text) for name, text in facts if name == "base")
        made["scale"] = float(dict(facts)["weight of the sum"])
        shown = reader.sections[:-1] if (made["form"], made["task"]) == ("points", "binary") else reader.sections
        made["terms"] = [msgspec.to_builtins(_term(one)) for one in shown]
    return msgspec.convert(made, Model)


def _values(row: list[list[tuple[str, str]]]) -> tuple[float, ...]:
    return tuple(float("".join(text for _, text in cell)) for cell in row[1:])


def _term(section: dict[str, Any]) -> Term:
    rows = [row for row in section["rows"] if row[0][0][0] == "td"]
    kind = section["kind"]
    marks = [[text for tag, text in row[0] if tag == "b"] for row in rows]
    values = [_values(row) for row in rows]
    found: dict[str, Any] = {"column": section["name"], "kind": kind, "adds": values[:-1], "missing": values[-1]}
    if kind == "text":
        found["names"] = [one for row in marks for one in row]
    else:
        found["cuts"] = [_cut(row[0], kind) for row in marks[1:-1]]
    return msgspec.convert(found, Term)


def _cut(text: str, kind: str) -> float:
    return float((np.datetime64(text, "D") - _DAY).astype(int)) if kind == "date" else float(text)


def _when(cell: list[tuple[str, str]]) -> tuple[Condition, ...]:
    """Return the conditions of a printed rule: column, kind, test, and what stands in bold."""
    parts = [part for part in cell if part[1]]
    found = []
    for at, (tag, text) in enumerate(parts):
        if tag != "em":
            continue
        rest: Sequence[tuple[str, str]] = parts[at + 1 :]
        kind = next(text for tag, text in rest if tag == "small").strip("()")
        test = next(text for tag, text in rest if tag == "td" and text.strip()).split()[0]
        mark = next((text for tag, text in rest if tag == "b"), "") if test != "missing" else ""
        found.append({
            "column": text, "kind": kind, "test": test, "name": mark if kind == "text" else "",
            "cut": _cut(mark, kind) if mark and kind != "text" else 0.0,
        })  # fmt: skip
    return msgspec.convert(found, tuple[Condition, ...])
