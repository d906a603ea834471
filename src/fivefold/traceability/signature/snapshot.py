"""Snapshot: the files that were loaded, listed as the signature has to list them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from fivefold.errors import TrustError
from fivefold.evidence.signed_set import require_name

if TYPE_CHECKING:
    from pathlib import Path

_MEND = "Replace it by a plain file inside the application's folder and sign the model again."


def listed(root: Path) -> dict[str, Path]:
    """Return POSIX name to path of every file below ``root``.

    Raises:
        TrustError: ``model.symlink`` or ``model.special`` for anything that is not a plain file or folder;
            ``model.name`` for a name that reads differently elsewhere.
    """
    found: dict[str, Path] = {}
    for folder, folders, leaves in os.walk(root, followlinks=False):
        here = root.__class__(folder)
        folders.sort()
        for leaf in sorted((*folders, *leaves)):
            path = here / leaf
            name, mode = require_name(path.relative_to(root).as_posix()), path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise TrustError("model.symlink", "this is a symbolic link.", where=name, remedy=_MEND)
            if stat.S_ISREG(mode):
                found[name] = path
            elif not stat.S_ISDIR(mode):
                raise TrustError("model.special", "this is not a plain file.", where=name, remedy=_MEND)
    return dict(sorted(found.items()))
