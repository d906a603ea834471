"""Embedded: images, series, recordings and texts as a few numbers each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fivefold.contract.subject import Table

_SIDE = 14
_STEPS = 32
_BANDS = 16
_TERMS = 400
_WIDTH = 32
_SEED = 20


def embedded(table: Table) -> np.ndarray:
    """Return what the model sees as principal components.

    Args:
        table: n rows of any kind but tables.

    Returns:
        (n, w) float32, the widest column of unit spread, w at most 32.
    """
    raw = plain(table)
    return np.asarray(components(raw, len(raw))[:, :-1], dtype=np.float32)


def plain(table: Table) -> np.ndarray:
    """Return (n, w) float64 of what the model sees: pooled pixels, steps, a spectrogram, or weights of common words."""
    if table.kind == "text":
        return _words(table)
    made = {"image": _pixels, "series": _steps, "audio": _spectrum}[table.kind](np.asarray(table.inputs))
    return np.asarray(np.nan_to_num(made.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0))


def components(raw: np.ndarray, of: int) -> np.ndarray:
    """Return principal components, and how far a row lies off them.

    Args:
        raw: (n, w) of :func:`plain`.
        of: The first so many rows decide what the components are.

    Returns:
        (n, v + 1) float32, v at most 32 and w / 4, the widest column of unit spread; (n, 1) where nothing varies.
    """
    from sklearn.decomposition import PCA

    spread = float(raw[:of].std(axis=0).max()) if raw.size else 0.0
    if not spread:
        return np.zeros((len(raw), 1), dtype=np.float32)
    scaled = raw / spread
    axes = PCA(max(1, min(_WIDTH, of - 1, raw.shape[1] // 4)), random_state=_SEED).fit(scaled[:of])
    found = axes.transform(scaled)
    off = np.linalg.norm(scaled - axes.inverse_transform(found), axis=1)
    wide = float(found[:of].std(axis=0).max()) or 1.0
    return np.asarray(np.column_stack([found / wide, off / wide]), dtype=np.float32)


def _pixels(images: np.ndarray) -> np.ndarray:
    """Return (n, C * at most 14 * at most 14) means of cells of (n, C, H, W)."""
    for axis in (2, 3):
        images = _pooled(images, axis, _SIDE)
    return images.reshape(len(images), -1)


def _steps(series: np.ndarray) -> np.ndarray:
    """Return (n, 2 * C * at most 32) means of stretches of (n, C, T), and their steps from one to the next."""
    short = _pooled(np.nan_to_num(series), 2, _STEPS)
    return np.concatenate([short, np.diff(short, axis=2, prepend=short[:, :, :1])], axis=2).reshape(len(series), -1)


def _spectrum(sound: np.ndarray) -> np.ndarray:
    """Return (n, at most 32 * 16) logarithms of energy in stretches and bands of (n, T)."""
    frame = max(2 * _BANDS, sound.shape[1] // _STEPS)
    count = max(1, sound.shape[1] // frame)
    cut = sound[:, : count * frame]
    cut = np.pad(cut, ((0, 0), (0, count * frame - cut.shape[1])))
    bands = [
        np.log1p(_pooled(np.abs(np.fft.rfft(cut[:, at * frame : (at + 1) * frame]))[:, 1:], 1, _BANDS))
        for at in range(count)
    ]
    return np.concatenate(bands, axis=1)


def _pooled(values: np.ndarray, axis: int, cells: int) -> np.ndarray:
    """Return means of at most ``cells`` stretches along an axis."""
    size = values.shape[axis]
    if size <= cells:
        return values.astype(np.float32)
    edges = np.linspace(0, size, cells + 1).astype(int)
    counts = np.diff(edges).reshape([-1 if at == axis else 1 for at in range(values.ndim)])
    sums = np.add.reduceat(values, edges[:-1], axis=axis, dtype=np.float32)
    return np.asarray(sums / counts, dtype=np.float32)


def _words(table: Table) -> np.ndarray:
    """Return (n, at most 400) weights of words by frequency in and rarity across rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = table.features.iloc[:, 0].fillna("").astype(str)
    try:
        weights = TfidfVectorizer(max_features=_TERMS, sublinear_tf=True).fit_transform(texts)
    except ValueError:  # no words at all
        return np.zeros((len(table), 0))
    return np.asarray(weights.toarray(), dtype=np.float64)
