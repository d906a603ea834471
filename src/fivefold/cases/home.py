"""Home: a user with nothing yet, so that a case touches no keys, trust, record or cache of who runs it."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOMES = ("CONFIG", "STATE", "CACHE", "DATA")


@contextmanager
def at_home() -> Iterator[Path]:
    """Be a user with nothing yet, in a folder that is removed."""
    before = {f"XDG_{name}_HOME": os.environ.get(f"XDG_{name}_HOME") for name in _HOMES}
    with tempfile.TemporaryDirectory(prefix="fivefold-case-") as folder:
        os.environ.update({name: str(Path(folder) / name) for name in before})
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
