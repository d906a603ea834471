"""Walk: nodes against the schema, giving plain values and every fault of shape at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fivefold.errors import InputError, Problem
from fivefold.manifest.tree import MAX_PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fivefold.manifest.schema import Field
    from fivefold.manifest.tree import Node

_LARGEST = 2**53
"""Largest integer that JSON carries exactly."""

_MOST_WORDS = 2000
"""Among more words than these no nearest one is sought."""

_ARTICLES = {"flag": "true or false", "integer": "a whole number", "number": "a number"}


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like ``word``, or an empty text."""
    import difflib

    words = list(known)
    if len(word) > 200 or len(words) > _MOST_WORDS:
        return ""
    folded = {candidate.lower(): candidate for candidate in words}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def suggest(word: str, known: Iterable[str], *, many: int = 12) -> str:
    """Return a remedy: the nearest known word, or all of them."""
    words = list(known)
    close = nearest(word, words)
    if close:
        return f'Did you mean "{close}"?'
    shown = ", ".join(words[:many]) + (", ..." if len(words) > many else "")
    return f"Use one of: {shown}." if words and many else "`fivefold list` shows what there is."


class Enough(Exception):  # noqa: N818  a signal to stop looking, never seen outside the reader
    """So many faults were found that looking for more helps nobody."""


@dataclass
class Walk:
    """What a walk has collected.

    Attributes:
        name: File name for problems.
        problems: Faults so far.
        lines: Dotted path to line, of everything seen.
        paths: Dotted path to text, of everything that names a file.
        factories: Dotted path to text, of everything that names a function.
    """

    name: str
    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    factories: dict[str, str] = field(default_factory=dict)

    def report(self, code: str, place: str, message: str, remedy: str, *, line: int = 0) -> None:
        """Note a fault at a dotted path; the line is looked up, going outwards, unless given.

        Raises:
            Enough: This was the last fault that is shown.
        """
        at = line or self.line(place)
        self.problems.append(Problem(f"manifest.{code}", f"{self.name}:{at}", _field(place), message, remedy))
        if len(self.problems) >= MAX_PROBLEMS:
            raise Enough

    def line(self, place: str) -> int:
        """Return the line of a dotted path, or of the nearest enclosing one."""
        while place and place not in self.lines:
            place = place.rpartition(".")[0]
        return self.lines.get(place, 1)

    def read(self, node: Node, shape: Field, place: str) -> Any:
        """Return the plain value of ``node``; None where it is faulty (the fault is noted)."""
        self.lines[place] = node.line
        return _READERS[shape.kind](self, node, shape, place)


def _field(place: str) -> str:
    head, _, tail = place.rpartition(".")
    named = head in ("", "features", "scenarios", "checks", "controls", "sharing", "packs")
    return head if tail.isdigit() and not named else place or "(file)"


def _wrong(walk: Walk, node: Node, place: str, wanted: str, remedy: str = "") -> None:
    walk.report("type", place, f"expected {wanted}, found {node.kind}.", remedy or f"Write {wanted}.", line=node.line)


def _text(walk: Walk, node: Node, shape: Field, place: str) -> str | None:
    if not isinstance(node.value, str) or not node.value.strip():
        quoted = f'Write a text, in quotes if it looks like something else: "{node.text or "..."}".'
        _wrong(walk, node, place, "a text", quoted)
        return None
    if shape.pattern and not re.fullmatch(shape.pattern, node.value):
        walk.report("form", place, f'"{node.value[:80]}" has not the right form.', f"Use {shape.shape}.")
        return None
    return node.value


def _label(walk: Walk, node: Node, _shape: Field, place: str) -> str | None:
    if node.text is None or node.value is None or (not node.plain and not node.text):
        _wrong(walk, node, place, "one name or label")
        return None
    if "\n" in node.text:
        walk.report("form", place, "a name or label cannot have two lines.", "Write it in quotes on one line.")
        return None
    return node.text


def _labels(walk: Walk, node: Node, shape: Field, place: str) -> tuple[str, ...] | None:
    if node.items is None:
        example = f"[{node.text}]" if node.text else "[a, b]"
        _wrong(walk, node, place, "a list", f"Write a list: {example}.")
        return None
    reader = _path if shape.kind == "paths" else _label
    found: dict[str, None] = {}
    for index, item in enumerate(node.items):
        inner = f"{place}.{index}"
        walk.lines[inner] = item.line
        text = "" if shape.kind == "labels" and item.text == "" else reader(walk, item, shape, inner)
        if text is not None and text in found:
            walk.report("twice", inner, f'"{text}" is listed twice.', "List it once.")
        elif text is not None:
            found[text] = None
    return tuple(found)


def _flag(walk: Walk, node: Node, shape: Field, place: str) -> bool | None:
    if isinstance(node.value, bool):
        return node.value
    _wrong(walk, node, place, _ARTICLES[shape.kind])
    return None


def _number(walk: Walk, node: Node, shape: Field, place: str) -> float | None:
    value, wanted = node.value, _ARTICLES.get(shape.kind, "a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong(walk, node, place, wanted)
        return None
    if not finite(walk, value, place):
        return None
    if shape.kind == "integer" and not isinstance(value, int):
        walk.report("type", place, f"{node.text} is not a whole number.", f"Write {wanted}.")
        return None
    low, high = shape.low, shape.high
    if (low is not None and value < low) or (high is not None and value > high):
        span = f"from {low:g} to {high:g}" if low is not None and high is not None else f"of at least {low:g}"
        walk.report("range", place, f"{node.text} is out of range.", f"Write {wanted} {span}.")
        return None
    return value


def finite(walk: Walk, value: float, place: str) -> bool:
    """Return whether JSON can carry the number; note a fault if not."""
    if isinstance(value, float) and not math.isfinite(value):
        walk.report("not-finite", place, "the number is NaN or infinite.", "Write a finite number.")
        return False
    if isinstance(value, int) and abs(value) > _LARGEST:
        walk.report("range", place, "the number is too large.", "Write a number of at most 2**53, or quote it.")
        return False
    return True


def _range(walk: Walk, node: Node, shape: Field, place: str) -> tuple[float, float] | None:
    if node.items is None or len(node.items) != 2:
        _wrong(walk, node, place, "a list of two numbers", "Write [smallest, largest].")
        return None
    ends = []
    for index, item in enumerate(node.items):
        walk.lines[f"{place}.{index}"] = item.line
        ends.append(_number(walk, item, shape, f"{place}.{index}"))
    if ends[0] is None or ends[1] is None:
        return None
    if ends[0] > ends[1]:
        walk.report("range", place, f"{ends[0]:g} is larger than {ends[1]:g}.", "Write [smallest, largest].")
        return None
    return float(ends[0]), float(ends[1])


def _choice(walk: Walk, node: Node, shape: Field, place: str) -> str | None:
    if node.text is None or node.value is None:
        _wrong(walk, node, place, "one of " + ", ".join(shape.choices))
        return None
    if node.text not in shape.choices:
        walk.report("choice", place, f'"{node.text[:80]}" is not known.', suggest(node.text, shape.choices))
        return None
    return node.text


def _path(walk: Walk, node: Node, _shape: Field, place: str) -> str | None:
    if node.text is None or node.value is None or not node.text.strip():
        _wrong(walk, node, place, "the path of a file")
        return None
    walk.paths[place] = node.text
    return node.text


def _factory(walk: Walk, node: Node, _shape: Field, place: str) -> str | None:
    if not isinstance(node.value, str):
        _wrong(walk, node, place, 'a text such as "module:function"')
        return None
    walk.factories[place] = node.value
    return node.value


def _section(walk: Walk, node: Node, shape: Field, place: str) -> dict[str, Any] | None:
    if node.fields is None:
        _wrong(walk, node, place, "a mapping", "Write keys below it: " + ", ".join(shape.fields) + ".")
        return None
    found: dict[str, Any] = {}
    for key, child in node.fields.items():
        inner = f"{place}.{key}" if place else key
        walk.lines[inner] = node.key_lines[key]
        if key not in shape.fields:
            walk.report(
                "unknown-key", inner, f'the key "{key[:80]}" is not known.', suggest(key, shape.fields, many=40)
            )
            continue
        value = walk.read(child, shape.fields[key], inner)
        walk.lines[inner] = node.key_lines[key]
        if value is not None:
            found[key] = value
    for key, inner_shape in shape.fields.items():
        if inner_shape.required and key not in node.fields:
            inner = f"{place}.{key}" if place else key
            remedy = f"Add `{key}:` ({inner_shape.help.rstrip('.')})."
            walk.report("absent", inner, f'the key "{key}" is missing.', remedy, line=node.line)
    return found


def _named(walk: Walk, node: Node, shape: Field, place: str) -> dict[str, Any] | None:
    if node.fields is None or shape.each is None:
        _wrong(walk, node, place, "a mapping")
        return None
    found: dict[str, Any] = {}
    for key, child in node.fields.items():
        inner = f"{place}.{key}"
        walk.lines[inner] = node.key_lines[key]
        if shape.choices and key not in shape.choices:
            walk.report("unknown-key", inner, f'the key "{key[:80]}" is not known.', suggest(key, shape.choices))
        elif shape.pattern and not re.fullmatch(shape.pattern, key):
            walk.report("form", inner, f'the name "{key[:80]}" does not fit.', f"Use {shape.shape}.")
        else:
            value = walk.read(child, shape.each, inner)
            walk.lines[inner] = node.key_lines[key]
            if value is not None:
                found[key] = value
    if shape.required and not node.fields:
        walk.report("absent", place, "nothing stands below this key.", f"Add at least one entry ({shape.help}).")
    return found


def _list(walk: Walk, node: Node, shape: Field, place: str) -> tuple[Any, ...] | None:
    if node.items is None or shape.each is None:
        _wrong(walk, node, place, "a list")
        return None
    found = [walk.read(item, shape.each, f"{place}.{index}") for index, item in enumerate(node.items)]
    return tuple(value for value in found if value is not None)


def _any(walk: Walk, node: Node, shape: Field, place: str) -> Any:
    walk.lines[place] = node.line
    if node.items is not None:
        return tuple(_any(walk, item, shape, f"{place}.{index}") for index, item in enumerate(node.items))
    if node.fields is not None:
        return {key: _any(walk, child, shape, f"{place}.{key}") for key, child in node.fields.items()}
    value = node.value
    if value is None:
        _wrong(walk, node, place, "a value", "Write a value or leave the key out.")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if finite(walk, value, place) else None
    return value


def _predictions(walk: Walk, node: Node, shape: Field, place: str) -> dict[str, str] | None:
    if node.fields is None:
        text = _path(walk, node, shape, place)
        return None if text is None else {"": text}
    found = {}
    for key, child in node.fields.items():
        walk.lines[f"{place}.{key}"] = node.key_lines[key]
        text = _path(walk, child, shape, f"{place}.{key}")
        if text is not None:
            found[key] = text
    return found


def _words(walk: Walk, node: Node, _shape: Field, place: str) -> tuple[str, ...] | None:
    """Read a program and its arguments, each a text or a number."""
    if node.items is None or not node.items:
        _wrong(walk, node, place, "a list", 'Write the program and its arguments: ["Rscript", "predict.R"].')
        return None
    found = []
    for index, item in enumerate(node.items):
        inner = f"{place}.{index}"
        walk.lines[inner] = item.line
        if item.text is None or item.value is None or "\0" in item.text or "\n" in item.text or len(item.text) > 4096:
            _wrong(walk, item, inner, "one word")
        else:
            found.append(item.text)
    return tuple(found)


def _url(walk: Walk, node: Node, shape: Field, place: str) -> str | None:
    from fivefold.manifest import address

    text = _text(walk, node, shape, place)
    if text is None:
        return None
    try:
        address.parse(text)
    except InputError as error:
        walk.report("endpoint", place, error.message, error.remedy)
        return None
    return text


def _later(walk: Walk, _node: Node, shape: Field, place: str) -> None:
    remedy = "Use `factory` or `predictions`."
    walk.report("unsupported", place, f"this version cannot use it yet ({shape.help.rstrip('.')}).", remedy)


_READERS: dict[str, Callable[[Walk, Node, Field, str], Any]] = {
    "text": _text,
    "label": _label,
    "labels": _labels,
    "columns": _labels,
    "paths": _labels,
    "flag": _flag,
    "integer": _number,
    "number": _number,
    "range": _range,
    "choice": _choice,
    "path": _path,
    "factory": _factory,
    "section": _section,
    "named": _named,
    "list": _list,
    "any": _any,
    "predictions": _predictions,
    "later": _later,
    "words": _words,
    "url": _url,
}
