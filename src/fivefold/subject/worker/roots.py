"""Roots: which folders of the Python installation a child may read, and the environment of the fork server.

An entry of the import path that holds the application, its evidence or the user's keys is left out: children would be
able to read what is not theirs, or import code that nobody signed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
_SINGLE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT")

_LARGE = str(1 << 17)
"""Blocks above this go back to the system when they are freed, instead of staying with a process that is done."""


def import_path(root: Path, hidden: Iterable[Path]) -> list[str]:
    """Return the entries of this process's import path that the worker gets.

    Args:
        root: The application's folder.
        hidden: Folders that no child may read.
    """
    barred = [root.resolve(), *(place.resolve() for place in hidden)]
    found = []
    for entry in dict.fromkeys(sys.path):
        if not entry or not Path(entry).exists():
            continue
        place = Path(entry).resolve()
        if _installed(place) or not any(bar.is_relative_to(place) or place.is_relative_to(bar) for bar in barred):
            found.append(str(place))
    return found


def readable(entries: Iterable[str], hidden: Iterable[Path]) -> tuple[str, ...]:
    """Return the folders of the Python installation that children may read."""
    own = Path(__file__).resolve().parents[2]
    wanted = [*entries, str(own), sys.prefix, sys.base_prefix, sys.exec_prefix]
    places = [Path(entry).resolve() for entry in wanted]
    barred = [place.resolve() for place in hidden]
    kept = (place for place in places if not any(bar.is_relative_to(place) for bar in barred))
    return tuple(dict.fromkeys(str(place) for place in kept))


def environment(entries: Iterable[str], home: Path) -> dict[str, str]:
    """Return the fork server's environment: nothing of the user's but path and language, one thread per engine."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    single = dict.fromkeys(_SINGLE, "1")
    return {
        **kept,
        **single,
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": os.pathsep.join(entries),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "JOBLIB_MULTIPROCESSING": "0",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_MMAP_THRESHOLD_": _LARGE,
        "MALLOC_TRIM_THRESHOLD_": _LARGE,
        "MPLBACKEND": "agg",
    }


def _installed(place: Path) -> bool:
    """Whether a folder belongs to the Python installation, which may itself lie inside an application's folder."""
    return any(place.is_relative_to(Path(prefix).resolve()) for prefix in (sys.prefix, sys.base_prefix))
