"""Reading: what a taken disk tells of decisions: in lines as applications write them, and in the recorder's files."""

from __future__ import annotations

import base64
import json
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fivefold.errors import TrustError
from fivefold.keys import signing
from fivefold.keys.ciphers import KEY_BYTES
from fivefold.log.disk import Folder
from fivefold.store.people import People
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder
from fivefold.traceability.recorder.secrets_ import Secrets

if TYPE_CHECKING:
    import pandas as pd

_ORIGIN, _APPLICATION, _KEYS = "fivefold/case/x9", "case-x9", "people.sqlite"
_FEWEST_BYTES = 6
"""Shorter words stand in random bytes by chance."""


@dataclass(frozen=True)
class Taken:
    """What a thief of the disk reads.

    Attributes:
        people: Whose answers are on it.
        bare: Of these, read in lines as applications write them.
        sealed: Of these, read in all files of the recorder and its keys, wherever and however they may stand there.
        unsealed: Records that the product's own reader shows with another secret than the application's.
        dated: Records whose time and kind are read.
        records: Records on the disk.
        secret: People read by who also has the application's secret, after some were erased.
        erased: Of the erased, read by who has it.
        gone: People who were erased.
    """

    people: int
    bare: int
    sealed: int
    unsealed: int
    dated: int
    records: int
    secret: int
    erased: int
    gone: int


def taken(rows: pd.DataFrame, erased: int, rng: np.random.Generator) -> Taken:
    """Record a benefit for each person in both ways, in a folder that is removed, and read what lies there.

    Args:
        rows: People of the survey.
        erased: How many of them ask to be forgotten.
        rng: Draws the secret and what is decided.
    """
    words = [f"{row.diagnosis} since {1990 + at % 30}, benefit {int(rng.integers(10**8)):08d}"
             for at, row in enumerate(rows.itertuples())]  # fmt: skip
    secret, wrong = rng.bytes(KEY_BYTES), rng.bytes(KEY_BYTES)
    gone = [str(one) for one in rows["person"].iloc[:erased]]
    with tempfile.TemporaryDirectory(prefix="fivefold-case-") as folder:
        root = Path(folder)
        bare, record = root / "bare", root / "recorder"
        _write_lines(bare, rows, words)
        with closing(People(_made(record) / _KEYS, _APPLICATION)) as people:
            with Recorder(Folder(_made(record / "log")), _ORIGIN, signing.generate(), Secrets(secret, people),
                          segment_bytes=1 << 16) as recorder:  # fmt: skip
                _record(recorder, rows, words)
                sealed, unsealed, leaves = _found(record, words), _opened(record, wrong), _leaves(record)
                for person in gone:
                    recorder.erase(person)
            known = _shown(record, secret)
        said = [word in known for word in words]
        return Taken(
            len(rows), _found(bare, words), sealed, unsealed, leaves, leaves, sum(said), sum(said[:erased]), erased
        )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _write_lines(folder: Path, rows: pd.DataFrame, words: list[str]) -> None:
    lines = [json.dumps({"person": str(row.person), "job": str(row.job), "why": word})
             for row, word in zip(rows.itertuples(), words, strict=True)]  # fmt: skip
    (_made(folder) / "decisions.jsonl").write_text("\n".join(lines), encoding="utf-8")


def _record(recorder: Recorder, rows: pd.DataFrame, words: list[str]) -> None:
    for at, word in enumerate(words):
        row = rows.iloc[at : at + 1]
        with recorder.open(f"benefit {at}", subject=str(row["person"].iloc[0])) as case:
            case.input({name: row[name].to_numpy() for name in ("born", "job", "diagnosis")})
            case.add("decision", {"answer": "granted", "why": word}, batch={"share": np.array([0.5 + at / 1000])})


def _found(folder: Path, words: list[str]) -> int:
    """Return how many words stand in the bytes of the files: as text, as UTF-16, or in base 64 at any offset."""
    disk = b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return sum(any(form in disk for form in _forms(word)) for word in words)


def _forms(word: str) -> list[bytes]:
    raw = word.encode()
    forms = [raw, word.encode("utf-16-le"), raw.hex().encode()]
    # of the letters in base 64 those that depend on nothing before or after the word
    forms += [base64.b64encode(b"\0" * pad + raw)[4 if pad else 0 : -4] for pad in range(3)]
    return [form for form in forms if len(form) >= _FEWEST_BYTES]


def _opened(record: Path, secret: bytes) -> int:
    """Return how many records the product's reader shows to who guesses a secret."""
    with closing(People(record / _KEYS, _APPLICATION)) as people:
        reading = Reading(Folder(record / "log"), Secrets(secret, people))
        try:
            return sum(item.body is not None for item in reading.search())
        except TrustError:
            return 0


def _leaves(record: Path) -> int:
    """Return how many records tell their kind and time without any key."""
    with closing(People(None, _APPLICATION)) as people:
        leaves = Reading(Folder(record / "log"), Secrets(bytes(KEY_BYTES), people)).leaves()
        return sum(bool(leaf.kind) and leaf.at > 0 for _, leaf in leaves)


def _shown(record: Path, secret: bytes) -> set[str]:
    """Return the reasons that the product's reader shows to who has the secret."""
    with closing(People(record / _KEYS, _APPLICATION)) as people:
        reading = Reading(Folder(record / "log"), Secrets(secret, people))
        return {str(item.body.fields["why"]) for item in reading.search(kind="decision") if item.body}
