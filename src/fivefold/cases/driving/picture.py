"""The pictures of the case: signs missed before and after, and what the camera sees of signs with a sticker."""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from fivefold.cases.dosage.picture import OPEN, bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fivefold.cases.nouns import Told

_LINE, _LEFT, _WIDE = 24, 390, 260
_RED, _BLUE, _GREEN = "#c44e52", "#4878a8", "#3a7d44"
_SIGN, _FRAME, _TOP = 72, 48, 34


def shares(told: Told) -> str:
    """Return an SVG of signs missed and slow-downs before and after, in per cent."""
    parts, top = [], 8
    for word, figures, colour in (("Before", told.before, _RED), ("After", told.after, _BLUE)):
        parts.append(f'<text x="8" y="{top + 15}" font-weight="bold">{word}</text>')
        top += _LINE
        for one in figures:
            parts.append(bar(one, top, _GREEN if one.good else colour, _LEFT, _WIDE))
            top += _LINE
        top += 8
    return f"{OPEN.format(wide=730, tall=top, title='Signs missed, before and after')}{''.join(parts)}</svg>\n"


def seen(rows: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> str:
    """Return an SVG of signs and of what a camera sees of them, a row each.

    Args:
        rows: What to say of it, (3, S, S) the sign from in front, (F, 3, H, W) frames, all in [0, 1].
    """
    count = max(len(frames) for _, _, frames in rows)
    wide, tall = 20 + _SIGN + count * (_FRAME + 3), _TOP + len(rows) * (_SIGN + 30)
    parts = [
        f'<text x="8" y="20">From in front, and as the camera sees it: {count} of the frames, from 60 m to 30 m</text>'
    ]
    for at, (text, face, frames) in enumerate(rows):
        top = _TOP + at * (_SIGN + 30)
        parts.append(_image(face, 8, top, _SIGN))
        parts += [_image(one, 20 + _SIGN + place * (_FRAME + 3), top, _FRAME) for place, one in enumerate(frames)]
        parts.append(f'<text x="{20 + _SIGN}" y="{top + _FRAME + 17}">{escape(text)}</text>')
    return f"{OPEN.format(wide=wide, tall=tall, title='Signs with stickers')}{''.join(parts)}</svg>\n"


def _image(values: np.ndarray, left: int, top: int, side: int) -> str:
    data = base64.b64encode(png(values)).decode("ascii")
    return (
        f'<image x="{left}" y="{top}" width="{side}" height="{side}" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )


def png(values: np.ndarray) -> bytes:
    """Return a PNG file (ISO 15948) of (3, H, W) values in [0, 1]."""
    pixels = (np.clip(values, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    tall, wide, _ = pixels.shape
    lines = np.concatenate([np.zeros((tall, 1), dtype=np.uint8), pixels.reshape(tall, -1)], axis=1).tobytes()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", wide, tall, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
