"""Tree: YAML text as plain nodes with lines, read event by event so that no text can make it grow or recurse.

Refused: anchors, aliases, merge keys, tags, more than one document, duplicate keys, keys that are not texts, control
characters, text that is not UTF-8, and whatever passes the limits below. Scalars stay text until a field asks for a
type, so ``positive: no`` is the label ``no`` and not a truth value.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fivefold.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

MAX_BYTES = 1 << 20
"""Largest manifest in bytes."""

MAX_DEPTH = 20
"""Deepest nesting of lists and mappings."""

MAX_PROBLEMS = 200
"""Reading stops after this many faults."""

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.?(inf|infinity)|\.?nan", re.IGNORECASE)

Plain = str | int | float | bool | None
"""Type of a scalar once resolved."""


@dataclass
class Node:
    """One place of the text.

    Attributes:
        line: Line where the value starts, from 1.
        text: Scalar text; None for lists and mappings.
        plain: The scalar was written without quotes, so it may be a number, truth value or nothing.
        items: List elements; None unless a list.
        fields: Key to value; None unless a mapping.
        key_lines: Key to the line where the key stands.
    """

    line: int
    text: str | None = None
    plain: bool = False
    items: list[Node] | None = None
    fields: dict[str, Node] | None = None
    key_lines: dict[str, int] = field(default_factory=dict)

    @property
    def value(self) -> Plain:
        """The scalar by the YAML 1.2 core schema; lists and mappings give None."""
        return _resolve(self.text) if self.plain and self.text is not None else self.text

    @property
    def kind(self) -> str:
        """Name of what stands here, for messages."""
        if self.items is not None:
            return "a list"
        if self.fields is not None:
            return "a mapping"
        value = self.value
        if value is None:
            return "nothing"
        if isinstance(value, bool):
            return "a truth value"
        return "a text" if isinstance(value, str) else "a number"


def _resolve(text: str) -> Plain:
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _ENDLESS.fullmatch(text) and text.lower() not in ("inf", "nan", "infinity"):
        return float(text.replace(".", ""))
    return float(text) if len(text) < 100 and _FLOAT.fullmatch(text) else text


class _Stop(Exception):  # noqa: N818  a signal to leave the parser, never seen outside
    """Reading cannot go on."""


def _unfit(text: str) -> str | None:
    for character in text:
        if character in "\n\t":
            continue
        category = unicodedata.category(character)
        if category in ("Cc", "Cs") or character in _BIDI or character == "\ufeff":
            return f"U+{ord(character):04X}"
    return None


@dataclass
class _Frame:
    """A list or mapping that is still open.

    Attributes:
        waits: A key was read and its value comes next.
        key: That key; None if it was refused, so that its value is dropped.
        line: Line of that key.
    """

    node: Node
    waits: bool = False
    key: str | None = None
    line: int = 0


class _Builder:
    """Turns parser events into nodes, keeping a stack of its own instead of recursion."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self._stack: list[_Frame] = []
        self._documents = 0

    def report(self, code: str, line: int, message: str, remedy: str, key: str | None = None) -> None:
        parts = [part for part in (*self._path(), key) if part is not None]
        place = ".".join(parts) or "(file)"
        self.problems.append(Problem(f"manifest.{code}", f"{self.name}:{line}", place, message, remedy))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Stop

    def _path(self) -> Iterator[str | None]:
        for frame in self._stack:
            yield str(len(frame.node.items)) if frame.node.items is not None else frame.key if frame.waits else None

    def feed(self, event: yaml.events.Event) -> None:
        import yaml

        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self.report("documents", line, "a second document starts here.", "Keep one document in the file.")
                raise _Stop
        elif isinstance(event, yaml.AliasEvent):
            self.report("alias", line, f"the alias *{event.anchor} is not allowed.", "Write the value out.")
            self._place(Node(line, text="", plain=True))
        elif isinstance(event, yaml.ScalarEvent):
            self._marks(event, line)
            self._place(Node(line, text=self._clean(event.value, line), plain=not event.style))
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._marks(event, line)
            self._open(Node(line, items=[]) if isinstance(event, yaml.SequenceStartEvent) else Node(line, fields={}))
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._place(self._stack.pop().node)

    def _marks(self, event: yaml.events.NodeEvent, line: int) -> None:
        if event.anchor:
            self.report("anchor", line, f"the anchor &{event.anchor} is not allowed.", "Write the value out each time.")
        tag = getattr(event, "tag", None)
        if tag:
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            self.report("tag", line, f"the tag {shown} is not allowed.", "Write the plain value without a tag.")

    def _clean(self, text: str, line: int) -> str:
        unfit = _unfit(text)
        if unfit:
            self.report("control-character", line, f"the text holds the character {unfit}.", "Remove it.")
            return ""
        return text

    def _open(self, node: Node) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self.report("depth", node.line, f"more than {MAX_DEPTH} levels are nested here.", "Flatten the value.")
            raise _Stop
        self._stack.append(_Frame(node))

    def _place(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if frame.node.items is not None:
            frame.node.items.append(node)
        elif not frame.waits:
            frame.key, frame.line, frame.waits = self._key(frame.node, node), node.line, True
        else:
            frame.waits = False
            if frame.key is not None and frame.node.fields is not None:
                frame.node.fields[frame.key] = node
                frame.node.key_lines[frame.key] = frame.line

    def _key(self, parent: Node, node: Node) -> str | None:
        if node.text is None or (node.plain and node.value is None):
            self.report("key", node.line, f"a key must be a text, not {node.kind}.", "Name the key.")
            return None
        if node.plain and node.text == "<<":
            self.report("merge-key", node.line, "merge keys (<<) are not allowed.", "Write the fields out.", "<<")
            return None
        if node.text in parent.key_lines:
            first = parent.key_lines[node.text]
            message = f'the key "{node.text}" stands here again (first on line {first}).'
            self.report("duplicate-key", node.line, message, "Keep one of the two.", node.text)
            return None
        return node.text


def _events(text: str) -> Iterator[yaml.events.Event]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.parse(text, Loader=loader)


def grow(raw: bytes, name: str) -> tuple[Node | None, list[Problem]]:
    """Read YAML text into nodes.

    Args:
        raw: The stored bytes.
        name: File name for the problems.

    Returns:
        The root (None if nothing could be read) and every fault of the text itself.
    """
    builder = _Builder(name)
    try:
        if len(raw) > MAX_BYTES:
            builder.report("size", 1, f"the file has {len(raw)} bytes, at most {MAX_BYTES} are read.", "Shorten it.")
            return None, builder.problems
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            builder.report("encoding", line, "the file is not UTF-8 text.", "Save it as UTF-8.")
            return None, builder.problems
        _parse(builder, text)
    except _Stop:
        return None, builder.problems
    return builder.root, builder.problems


def _parse(builder: _Builder, text: str) -> None:
    import yaml

    try:
        for event in _events(text):
            builder.feed(event)
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        line = text.count("\n", 0, _control_at(text, position)) + 1
        builder.report("control-character", line, "the text holds a control character.", "Remove it.")
        raise _Stop from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = error.problem or error.context or "the text is not YAML"
        if "nesting depth" in what:  # newer parsers have a limit of their own and read ahead of the events
            builder.report("depth", line, f"more than {MAX_DEPTH} levels are nested here.", "Flatten the value.")
            raise _Stop from None
        builder.report("syntax", line, f"this is not valid YAML: {what}.", "Mend indentation, quotes or brackets here.")
        raise _Stop from None
    except yaml.YAMLError:
        builder.report("syntax", 1, "this is not valid YAML.", "Mend indentation, quotes or brackets.")
        raise _Stop from None


def _control_at(text: str, fallback: int) -> int:
    for place, character in enumerate(text):
        if unicodedata.category(character) == "Cc" and character not in "\n\r\t\x85":
            return place
    return min(fallback, len(text))
