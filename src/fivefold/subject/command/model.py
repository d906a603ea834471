"""Model: a command as something that answers rows; each question starts the program once."""

from __future__ import annotations

import csv
import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fivefold.errors import SubjectError
from fivefold.subject.command.programs import PATH
from fivefold.subject.outside import Learned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fivefold.subject.model import Method

NAME = "prediction"
TOP = 200_000
"""Most rows of one start."""

_NOTE = 2000
_MARK = "p:"
_PER_ROW, _LEAST = 8192, 1 << 20


@dataclass
class CommandModel:
    """A program that is started.

    Attributes:
        command: Program (absolute) and arguments.
        folder: Its current folder.
        scratch: Where it may write; its input and output lie there.
        seconds: Longest that one start may take.
        take: Writes one start down in the ledger.
        identity: Digest of the program.
        learned: What its answers are; None: not known yet.
        stuck: It did not end in time, so its process has to go.
    """

    command: Sequence[str]
    folder: str
    scratch: Path
    seconds: float
    take: Callable[[], None]
    identity: str = ""
    learned: Learned | None = None
    stuck: bool = False

    def learn(self, frame: pd.DataFrame) -> Learned:
        """Find out what the program answers.

        Args:
            frame: (n, d) rows.

        Raises:
            SubjectError: It gives no answers that can be read.
        """
        given = self._asked(frame)
        scores = _score_columns(given)
        methods = (("predict",) if NAME in given.columns else ()) + (("predict_proba",) if scores else ())
        self.learned = Learned(
            methods=methods or ("predict",),
            classes=tuple(name.removeprefix(_MARK) for name in scores),
            identity=self.identity,
            said=f"by the command {Path(self.command[0]).name}, started once for each question",
        )
        return self.learned

    def answers(self, frame: pd.DataFrame) -> dict[Method, np.ndarray]:
        """Return everything that the program answers to (n, d) rows.

        Raises:
            SubjectError: ``command.ended``, ``command.time``, ``command.output`` or ``command.rows``.
        """
        known = self.learned
        if known is None:
            raise SubjectError("model.unprobed", "the command has not been probed.")
        parts = [self._read(known, frame.iloc[at : at + TOP]) for at in range(0, max(len(frame), 1), TOP)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _read(self, known: Learned, frame: pd.DataFrame) -> dict[Method, np.ndarray]:
        given = self._asked(frame)
        made: dict[Method, np.ndarray] = {}
        if "predict_proba" in known.methods:
            columns = _score_columns(given)
            if tuple(name.removeprefix(_MARK) for name in columns) != known.classes:
                raise _unread("its columns of probabilities are others than before")
            made["predict_proba"] = np.column_stack([_numbers(given[name]) for name in columns])
        if "predict" in known.methods:
            made["predict"] = _answers(_only(given))
        return made

    def _asked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Start the program once and return what it wrote, one line for each row."""
        self.take()
        places = [self.scratch / name for name in ("rows.csv", "answers.csv", "errors.txt")]
        rows, answers, errors = places
        _written(frame, rows)
        cap = max(_LEAST, _PER_ROW * len(frame))
        with rows.open("rb") as source, answers.open("wb") as sink, errors.open("wb") as said:
            code = self._run(source.fileno(), sink.fileno(), said.fileno())
        note = errors.read_bytes()[:_NOTE].decode("utf-8", "replace")
        if code != 0:
            raise _told("command.ended", f"the command {_ending(code)}.", note, "Run it by hand with a few rows.")
        size = answers.stat().st_size
        if size > cap:
            raise _told("command.output", f"the command wrote {size:,} bytes for {len(frame):,} rows.", note)
        text = answers.read_bytes()
        if not text.strip():
            other = errors.stat().st_size
            where = f", and {other:,} bytes to its standard error" if other else ""
            remedy = "Write the answers to the standard output, with a header line."
            raise _told("command.output", f"the command wrote nothing to its standard output{where}.", note, remedy)
        return _parsed(text, len(frame), note)

    def _run(self, source: int, sink: int, said: int) -> int:
        home = str(self.scratch)
        environment = {
            "PATH": PATH, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        }  # fmt: skip
        try:
            process = subprocess.Popen(  # noqa: S603  the program that the manifest names, confined
                list(self.command), stdin=source, stdout=sink, stderr=said, cwd=self.folder, env=environment,
                close_fds=True,
            )  # fmt: skip
        except OSError as error:
            remedy = "Is it executable, and made for this machine? What it starts itself must lie beside it."
            raise SubjectError(
                "command.start", f"the command cannot be started ({error.strerror}).", remedy=remedy
            ) from None
        try:
            return process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            self.stuck = True
            remedy = "Answer faster, or raise `command: seconds:` in site.yaml."
            message = f"the command did not end within {self.seconds:g} seconds."
            raise SubjectError("command.time", message, remedy=remedy) from None


def _written(frame: pd.DataFrame, place: Path) -> None:
    """Write rows as the format page says: header, commas, UTF-8, empty cells where values are missing."""
    text = frame.to_csv(index=False, na_rep="", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    place.write_text(text, encoding="utf-8")


def _parsed(raw: bytes, rows: int, note: str) -> pd.DataFrame:
    try:
        frame = pd.read_csv(io.BytesIO(raw), dtype=str, keep_default_na=False, skipinitialspace=True)
    except (ValueError, UnicodeDecodeError):
        raise _told("command.output", "what the command wrote is no CSV in UTF-8.", note) from None
    frame.columns = [str(name).strip() for name in frame.columns]
    named = any(name == NAME or name.startswith(_MARK) for name in frame.columns)
    if len(frame) == rows - 1 and not named:
        remedy = f'Begin with a line that names the columns, for example "{NAME}".'
        raise _told("command.output", "the answers of the command have no header.", note, remedy)
    if len(frame) != rows:
        remedy = "Write one line for each row, in the order of the rows, and one header line."
        raise _told("command.rows", f"the command gave {len(frame):,} answers for {rows:,} rows.", note, remedy)
    return frame


def _score_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns of probabilities: those named ``p:CLASS``, else all numbers besides ``prediction``."""
    marked = [name for name in frame.columns if name.startswith(_MARK)]
    rest = [name for name in frame.columns if name != NAME]
    if marked:
        return marked
    return rest if len(rest) > 1 and all(_is_number(value) for value in frame[rest].head(50).to_numpy().ravel()) else []


def _only(frame: pd.DataFrame) -> pd.Series:
    """Return the column of labels or values."""
    if NAME in frame.columns:
        return frame[NAME]
    if len(frame.columns) != 1:
        raise _unread(f'it has {len(frame.columns)} columns and none is named "{NAME}"')
    return frame.iloc[:, 0]


def _answers(column: pd.Series) -> np.ndarray:
    """Return numbers if all answers are, else texts."""
    if (column == "").any():
        raise _unread(f"{int((column == '').sum())} of {len(column)} answers are empty")
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    words = column.str.casefold().isin(("nan", "na", "inf", "-inf", "null", "none"))
    if words.any():
        raise _unread(f"{int(words.sum())} of {len(column)} answers are NaN, NA or infinite")
    if np.isfinite(numbers).all():
        return numbers
    return np.asarray(column.str.strip().to_numpy(dtype=object))


def _numbers(column: pd.Series) -> np.ndarray:
    made = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(made).all():
        raise _unread(f"{int((~np.isfinite(made)).sum())} of {len(made)} probabilities are no finite numbers")
    return made


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ending(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _unread(why: str) -> SubjectError:
    remedy = f'Give a column "{NAME}" of labels or values, or one column "p:CLASS" of probabilities for each class.'
    return SubjectError("command.output", f"what the command wrote cannot be read: {why}.", remedy=remedy)


def _told(code: str, message: str, note: str, remedy: str = "") -> SubjectError:
    error = SubjectError(code, message, remedy=remedy)
    if note.strip():
        error.add_note(note)  # for the screen only: it may quote rows
    return error
