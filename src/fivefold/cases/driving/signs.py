"""Signs: pictures of traffic signs drawn from shapes, and of boards that are none, worn and tinted."""

from __future__ import annotations

from functools import cache

import numpy as np

KINDS = (
    "stop", "give way", "priority road", "no entry", "limit", "danger", "turn right", "end of limits", "no sign",
)  # fmt: skip
"""What a picture may show."""
CRITICAL = (0, 1, 2)
"""Stop and priority signs."""
NOTHING = KINDS.index("no sign")
SIDE = 24
"""Pixels of a sheet, on which a sign is painted as it is seen from in front."""
_FINE = 4  # a pixel is the mean of so many times so many points
_RED, _WHITE, _BLACK, _BLUE, _YELLOW = (
    (0.72, 0.1, 0.12),
    (0.92, 0.92, 0.9),
    (0.08, 0.08, 0.08),
    (0.1, 0.25, 0.62),
    (0.93, 0.74, 0.1),
)
_GLYPHS = {
    "0": "111101101101111", "3": "111001111001111", "5": "111100111001111", "8": "111101111101111",
    "S": "111100111001111", "T": "111010010010010", "O": "111101101101111", "P": "111101111100100",
    "!": "010010010000010",
}  # fmt: skip
"""Letters of three by five cells."""
_RADIUS = 0.86
_LIMITS = ("limit 30", "limit 50", "limit 80")


def sheets(kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pictures (n, 3, SIDE, SIDE) float32 in [0, 1]; what is no sign has no meaning, see :func:`covers`.

    Args:
        kinds: (n,) places in :data:`KINDS`.
        rng: Wear, tint, the number of a limit, and what boards show.
    """
    n, limit = len(kinds), KINDS.index("limit")
    faces = np.stack([_sign(name)[0] for name in (*KINDS[:NOTHING], *_LIMITS)])
    made = faces[np.where(kinds == limit, NOTHING + rng.integers(0, len(_LIMITS), n), np.minimum(kinds, NOTHING - 1))]
    boards = np.flatnonzero(kinds == NOTHING)
    made[boards] = clutter(len(boards), rng)
    tint = rng.normal(1.0, 0.06, (n, 3, 1, 1)) * rng.uniform(0.8, 1.08, (n, 1, 1, 1))
    grey = rng.uniform(0.0, 0.3, (n, 1, 1, 1))  # faded by the sun
    stains = 1 - rng.uniform(0.0, 0.25, (n, 1, 1, 1)) * smooth(n, SIDE, rng)[:, None]
    made = ((1 - grey) * made + grey * made.mean(axis=1, keepdims=True)) * tint * stains
    return np.asarray(np.clip(made, 0, 1), dtype=np.float32)


def covers(kinds: np.ndarray) -> np.ndarray:
    """Return (n, SIDE, SIDE) float32, how much of each pixel is sign; all of it for boards."""
    shapes = [_sign(name)[1] for name in KINDS[:NOTHING]]
    return np.asarray(np.stack([*shapes, np.ones((SIDE, SIDE), dtype=np.float32)])[kinds])


def smooth(n: int, side: int, rng: np.random.Generator, cells: int = 4) -> np.ndarray:
    """Return (n, side, side) fields in [0, 1] without edges: few drawn values, and lines between them."""
    given = rng.random((n, cells, cells), dtype=np.float32)
    at = np.linspace(0, cells - 1, side)
    low, part = np.minimum(at.astype(int), cells - 2), (at - np.minimum(at.astype(int), cells - 2)).astype(np.float32)
    rows = given[:, low] * (1 - part)[:, None] + given[:, low + 1] * part[:, None]
    return np.asarray(rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part)


def clutter(n: int, rng: np.random.Generator, side: int = SIDE) -> np.ndarray:
    """Return (n, 3, side, side) boards, walls and leaves: soft ground, and three boxes or discs of any colour."""
    ground = rng.random((n, 3, 1, 1), dtype=np.float32) * 0.6 + 0.5 * smooth(n * 3, side, rng, 5).reshape(
        n, 3, side, side
    )
    x, y = _grid(side)
    for _ in range(3):
        middle, size = rng.uniform(-0.9, 0.9, (2, n, 1, 1)), rng.uniform(0.15, 0.7, (2, n, 1, 1))
        box = (np.abs(x - middle[0]) < size[0]) & (np.abs(y - middle[1]) < size[1])
        disc = (x - middle[0]) ** 2 + (y - middle[1]) ** 2 < size[0] ** 2
        shape = np.where(rng.random((n, 1, 1)) < 0.5, box, disc) & (rng.random((n, 1, 1)) < 0.8)
        ground = np.where(shape[:, None], rng.random((n, 3, 1, 1)), ground)
    return np.asarray(np.clip(ground, 0, 1), dtype=np.float32)


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    at = (np.arange(side) + 0.5) / side * 2 - 1
    return np.meshgrid(at, at)


@cache
def _sign(name: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = _grid(SIDE * _FINE)
    face, mask = _FACES[name.partition(" ")[0]](x, y, name)
    shape = (SIDE, _FINE, SIDE, _FINE)
    return (
        np.stack([face[..., at].reshape(shape).mean(axis=(1, 3)) for at in range(3)]).astype(np.float32),
        mask.reshape(shape).mean(axis=(1, 3)).astype(np.float32),
    )


def _layers(*layers: tuple[np.ndarray, tuple[float, float, float]]) -> np.ndarray:
    face = np.zeros((*layers[0][0].shape, 3))
    for where, colour in layers:
        face[where] = colour
    return face


def _octagon(x: np.ndarray, y: np.ndarray, size: float) -> np.ndarray:
    return np.asarray(np.maximum(np.maximum(np.abs(x), np.abs(y)), (np.abs(x) + np.abs(y)) / np.sqrt(2)) < size)


def _triangle(x: np.ndarray, y: np.ndarray, size: float) -> np.ndarray:
    """Return an upright triangle about the middle."""
    return np.asarray((y < size * 0.62) & (np.abs(x) * 1.55 < y + size * 0.95))


def _text(x: np.ndarray, y: np.ndarray, word: str, tall: float, wide: float) -> np.ndarray:
    """Return where letters of a word stand, the whole ``2 wide`` by ``2 tall`` about the middle."""
    cells = np.zeros((5, 4 * len(word) - 1), dtype=bool)
    for at, letter in enumerate(word):
        cells[:, 4 * at : 4 * at + 3] = np.array([one == "1" for one in _GLYPHS[letter]]).reshape(5, 3)
    row = np.floor((y + tall) / (2 * tall) * 5).astype(int)
    column = np.floor((x + wide) / (2 * wide) * cells.shape[1]).astype(int)
    inside = (row >= 0) & (row < 5) & (column >= 0) & (column < cells.shape[1])
    return np.asarray(inside & cells[np.clip(row, 0, 4), np.clip(column, 0, cells.shape[1] - 1)])


def _stop(x: np.ndarray, y: np.ndarray, _name: str) -> tuple[np.ndarray, np.ndarray]:
    whole = _octagon(x, y, _RADIUS)
    inner, word = _octagon(x, y, _RADIUS - 0.08), _text(x, y, "STOP", 0.26, 0.66)
    return _layers((whole, _WHITE), (inner, _RED), (word, _WHITE)), whole


def _yield(x: np.ndarray, y: np.ndarray, _name: str) -> tuple[np.ndarray, np.ndarray]:
    whole = _triangle(x, -y, 1.0)
    return _layers((whole, _RED), (_triangle(x, -y, 0.62), _WHITE)), whole


def _priority(x: np.ndarray, y: np.ndarray, _name: str) -> tuple[np.ndarray, np.ndarray]:
    away = np.abs(x) + np.abs(y)
    whole = away < 1.02
    return _layers((whole, _BLACK), (away < 0.98, _WHITE), (away < 0.72, _YELLOW)), whole


def _no(x: np.ndarray, y: np.ndarray, _name: str) -> tuple[np.ndarray, np.ndarray]:
    away = np.hypot(x, y)
    bar = (np.abs(x) < 0.6) & (np.abs(y) < 0.15)
    return _layers((away < _RADIUS, _WHITE), (away < _RADIUS - 0.05, _RED), (bar, _WHITE)), away < _RADIUS


def _limit(x: np.ndarray, y: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    away = np.hypot(x, y)
    word = _text(x, y, name[-2:] if name[-1].isdigit() else "50", 0.36, 0.44)
    return _layers((away < _RADIUS, _RED), (away < _RADIUS - 0.2, _WHITE), (word, _BLACK)), away < _RADIUS


def _danger(x: np.ndarray, y: np.ndarray, _name: str) -> tuple[np.ndarray, np.ndarray]:
    whole = _triangle(x, y, 1.0)
    mark = _text(x, y - 0.12, "!", 0.3, 0.18)
    return _layers((whole, _RED), (_triangle(x, y, 0.66), _WHITE), (mark, _BLACK)), whole


def _turn(x: np.ndarray, y: np.ndarray, _name: str) -> tuple[np.ndarray, np.ndarray]:
    away = np.hypot(x, y)
    shaft = (np.abs(y) < 0.11) & (np.abs(x + 0.1) < 0.4)
    head = (x > 0.05) & (x < 0.6) & (np.abs(y) < 0.6 - x)
    return _layers((away < _RADIUS, _WHITE), (away < _RADIUS - 0.05, _BLUE), (shaft | head, _WHITE)), away < _RADIUS


def _end(x: np.ndarray, y: np.ndarray, _name: str) -> tuple[np.ndarray, np.ndarray]:
    away = np.hypot(x, y)
    stripes = (np.abs(x + y) < 0.3) & (np.mod(x + y + 0.3, 0.24) < 0.13)
    return _layers((away < _RADIUS, _BLACK), (away < _RADIUS - 0.06, _WHITE), (stripes, _BLACK)), away < _RADIUS


_FACES = {
    "end": _end,
    "stop": _stop,
    "give": _yield,
    "priority": _priority,
    "no": _no,
    "limit": _limit,
    "danger": _danger,
    "turn": _turn,
}
