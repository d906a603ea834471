"""Recordings: a folder of wav files and the index that names them, as one array; what is shorter ends in silence."""

from __future__ import annotations

import io
import wave
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import InputError
from fivefold.manifest import inputs
from fivefold.subject import load
from fivefold.subject.inputs.stored import Stored, require_room

if TYPE_CHECKING:
    import pandas as pd

    from fivefold.subject.inputs.stored import Source

_MOST_FILE = 512 << 20
_MOST_CHANNELS = 64
_CONVERT = "Write it again as PCM: ffmpeg -i IN -ac 1 -ar 16000 -c:a pcm_s16le OUT.wav."


def read(source: Source) -> Stored:
    """Read the recordings that an index names.

    PCM of 8 (unsigned), 16, 24 or 32 bits becomes float32 from -1 to 1; channels are averaged.

    Returns:
        (n, samples) float32, zeros behind the end of shorter ones; the lines of the index.

    Raises:
        InputError: ``data.index``, ``data.wav-name`` for a name that is missing, leaves the folder or names no file,
            ``data.wav`` for a file that is no PCM, is cut off or lies, ``data.wav-rate`` for differing sampling
            rates, ``data.large``.
    """
    data = source.data
    folder = source.root / data.path
    place = inputs.index_of(folder, source.root / data.index if data.index else None)
    name = place.relative_to(source.root).as_posix()
    if name not in source.files:
        raise InputError("data.index", "the index is no plain file of the application.", where=name)
    frame = load.read(place, missing=data.missing, strings=source.strings, sha256=source.files[name])
    files = _named(source, frame, name)
    heads = [_head(source, file) for file in files]
    _require_rates(heads, data.path)
    longest = max((frames for _, frames in heads), default=0)
    require_room(4 * len(files) * longest, f"{len(files):,} recordings of up to {longest:,} samples", data.path)
    values = np.zeros((len(files), longest), dtype=np.float32)
    for at, file in enumerate(files):
        samples = _samples(source, file)
        values[at, : len(samples)] = samples
    return Stored(frame, values)


def _named(source: Source, frame: pd.DataFrame, index: str) -> list[str]:
    """Return the files that the index names, relative to the application's folder."""
    data = source.data
    usual = [name for name in inputs.NAMES if name in frame.columns]
    column = data.input or (usual[0] if usual else "")
    if column not in frame.columns:
        raise InputError(
            "data.wav-name",
            f'the index has no column "{column or inputs.NAMES[0]}" that names the recordings.',
            where=index,
            remedy=f"Name it as `input:`; its columns are: {', '.join(map(str, frame.columns[:30]))}.",
        )
    names = frame[column]
    if names.isna().any():
        raise _unnamed(index, f"{int(names.isna().sum()):,} lines of the index name no file")
    found = []
    for at, name in enumerate(names.astype(str).tolist()):
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name or "\0" in name:
            raise _unnamed(index, f"line {at + 2} of the index names a file outside of the folder")
        file = PurePosixPath(data.path, *parts).as_posix()
        if file not in source.files:
            raise _unnamed(index, f"line {at + 2} of the index names a file that is not in the folder")
        found.append(file)
    return found


def _unnamed(index: str, why: str) -> InputError:
    return InputError(
        "data.wav-name", f"{why}.", where=index, remedy="Write the path below the folder, with / and without .."
    )


def _open(source: Source, name: str) -> wave.Wave_read:
    """Open a wav file whose header tells the truth about its bytes."""
    with source.open(name) as file:
        data = file.read(_MOST_FILE + 1)
    if len(data) > _MOST_FILE:
        raise InputError(
            "data.large", f"the recording is larger than {_MOST_FILE >> 20} MB.", where=name, remedy="Cut it."
        )
    try:
        found = wave.open(io.BytesIO(data), "rb")  # noqa: SIM115  the caller reads it
    except (wave.Error, EOFError, RuntimeError) as error:
        why = "it is cut off" if isinstance(error, EOFError) else "it is no PCM wav file"
        raise _fault(name, why, _CONVERT) from None
    width, channels = found.getsampwidth(), found.getnchannels()
    if width not in (1, 2, 3, 4) or not 0 < channels <= _MOST_CHANNELS or found.getframerate() <= 0:
        raise _fault(name, f"it has {channels} channels of {8 * width} bits at {found.getframerate()} Hz", _CONVERT)
    return found


def _head(source: Source, name: str) -> tuple[int, int]:
    """Return rate and frames as the header says; a header cannot promise more than the file holds."""
    found = _open(source, name)
    size = (source.root / name).stat().st_size
    if found.getnframes() * found.getnchannels() * found.getsampwidth() > size:
        raise _fault(name, "its header promises more samples than it holds", "Record or convert it again.")
    return found.getframerate(), found.getnframes()


def _require_rates(heads: list[tuple[int, int]], folder: str) -> None:
    rates = sorted({rate for rate, _ in heads})
    if len(rates) > 1:
        raise InputError(
            "data.wav-rate",
            f"the recordings have {len(rates)} sampling rates, from {rates[0]} to {rates[-1]} Hz.",
            where=folder,
            remedy=f"Bring all to one: ffmpeg -i IN -ar {rates[0]} OUT.wav.",
        )


def _samples(source: Source, name: str) -> np.ndarray:
    """Return (samples,) float32 from -1 to 1, the channels averaged."""
    found = _open(source, name)
    width, channels, frames = found.getsampwidth(), found.getnchannels(), found.getnframes()
    try:
        raw = found.readframes(frames)
    except (wave.Error, EOFError, RuntimeError):
        raw = b""
    if len(raw) != frames * width * channels:
        raise _fault(name, "its header promises more samples than it holds", "Record or convert it again.")
    numbers = _numbers(raw, width)
    return np.asarray(numbers.reshape(-1, channels).mean(axis=1), dtype=np.float32)


def _numbers(raw: bytes, width: int) -> np.ndarray:
    """Return PCM as float64 from -1 to 1 (8 bits are unsigned, RIFF specification 1991)."""
    if width == 1:
        return (np.frombuffer(raw, dtype=np.uint8).astype(np.float64) - 128.0) / 128.0
    if width == 3:
        parts = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), dtype=np.uint8)
        wide[:, 1:] = parts
        return np.asarray(wide.view("<i4")[:, 0] / 2.0**31)
    return np.asarray(np.frombuffer(raw, dtype=f"<i{width}") / 2.0 ** (8 * width - 1))


def _fault(name: str, why: str, remedy: str) -> InputError:
    return InputError("data.wav", f"the recording cannot be used: {why}.", where=name, remedy=remedy)
