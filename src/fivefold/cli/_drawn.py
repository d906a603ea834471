"""A case drawn as SVG: its records from top to bottom, and which follows from which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable

_ROW, _TOP, _LEFT, _WIDTH, _BOX = 56, 84, 220, 980, 44
_MOST = 500
_COLOURS = {
    "input": "#1f5fa8", "sensor": "#1f5fa8", "output": "#1b7340", "decision": "#1b7340", "outcome": "#1b7340",
    "action": "#8a4b00", "approval": "#8a4b00", "alarm": "#a8201f", "gap": "#a8201f", "erasure": "#a8201f",
}  # fmt: skip
_OTHER = "#5b5b66"
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1a1a1f }
.small { font-size: 11px; fill: #5b5b66 } .kind { font-weight: 600 } .title { font-size: 16px; font-weight: 600 }
.box { fill: #fff; stroke-width: 1.5 } .link { fill: none; stroke: #8a8a96; stroke-width: 1.5 }
"""


def trace(found: list[Any], stamp: Callable[[int], str]) -> str:
    """Return the picture of a case: of more than 500 records the last 500.

    Args:
        found: Its records in order; those of an erased person have no body.
        stamp: Writes a time.
    """
    left_out, found = max(0, len(found) - _MOST), found[-_MOST:]
    height = _TOP + _ROW * len(found) + 24
    size = {"viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH), "height": str(height)}
    body = next((item.body for item in found if item.body is not None), None)
    title = f"Case {_short(body.case, 70)}" if body else "A case of an erased person"
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": title, **size})
    ET.SubElement(root, "style").text = _STYLE
    _marker(root)
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#fbfbfc"})
    _text(root, 24, 34, title, "title")
    models = list(dict.fromkeys(item.body.model[:16] for item in found if item.body and item.body.model))
    said = [f"{len(found) + left_out} records"] + ([f"the first {left_out} are not drawn"] if left_out else [])
    said += [f"model {', then '.join(models)}"] if models else []
    _text(root, 24, 56, "; ".join(said), "small")
    places = {item.id: at for at, item in enumerate(found)}
    for at, item in enumerate(found):
        for link in item.body.links if item.body else ():
            if link in places:
                _link(root, places[link], at)
    for at, item in enumerate(found):
        _record(root, item, _TOP + _ROW * at, stamp(item.at))
    return ET.tostring(root, encoding="unicode") + "\n"


def _record(root: ET.Element, item: Any, y: int, at: str) -> None:
    colour = _COLOURS.get(item.kind, _OTHER)
    part = ET.SubElement(root, "g")
    ET.SubElement(part, "title").text = f"{item.index} {item.id}"
    _text(part, 24, y + 20, at[11:], "")
    _text(part, 24, y + 36, f"{at[:10]}  #{item.index}", "small")
    place = {"x": str(_LEFT), "y": str(y), "width": str(_WIDTH - _LEFT - 24), "height": str(_BOX), "rx": "6"}
    ET.SubElement(part, "rect", {**place, "class": "box", "stroke": colour})
    ET.SubElement(part, "rect", {**place, "width": "6", "rx": "3", "fill": colour})
    _text(part, _LEFT + 18, y + 18, item.kind, "kind")
    _text(part, _LEFT + 18, y + 35, _short(_words(item), 118), "small")


def _words(item: Any) -> str:
    if item.body is None:
        return "erased: nobody can read it"
    said = [f"{name} = {value}" for name, value in item.body.fields.items()]
    said += [f"{one.name} {list(one.shape)}" for one in item.body.tensors]
    return "; ".join(said)


def _link(root: ET.Element, start: int, end: int) -> None:
    """Draw a line from the record that another follows from; past others, around them."""
    first, last = _TOP + _ROW * start + _BOX, _TOP + _ROW * end
    if end == start + 1:
        path = f"M {_LEFT + 60} {first} L {_LEFT + 60} {last - 1}"
    else:
        bend = _LEFT - min(20 + 6 * (end - start), 60)
        path = f"M {_LEFT} {first - 12} C {bend} {first}, {bend} {last}, {_LEFT - 1} {last + 12}"
    ET.SubElement(root, "path", {"class": "link", "d": path, "marker-end": "url(#end)"})


def _marker(root: ET.Element) -> None:
    shape = {"viewBox": "0 0 8 8", "refX": "7", "refY": "4", "markerWidth": "7", "markerHeight": "7", "orient": "auto"}
    marker = ET.SubElement(ET.SubElement(root, "defs"), "marker", {"id": "end", **shape})
    ET.SubElement(marker, "path", {"d": "M 0 0 L 8 4 L 0 8 z", "fill": "#8a8a96"})


def _text(root: ET.Element, x: int, y: int, text: str, style: str) -> None:
    made = ET.SubElement(root, "text", {"x": str(x), "y": str(y), **({"class": style} if style else {})})
    made.text = "".join(letter if letter.isprintable() else "�" for letter in text)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
