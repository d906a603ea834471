"""Loading: TOML files of this package -> one validated :class:`Catalogue`, once per process.

Files are read beside this module: ``importlib.resources`` costs ten milliseconds at import.
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fivefold.catalogue.check import problems
from fivefold.catalogue.nouns import Catalogue
from fivefold.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = (
    "levels.toml",
    "aims.toml",
    "cases.toml",
    "rows/a_levels.toml",
    "rows/b_sharing.toml",
    "rows/c_protection.toml",
    "rows/d_explanation.toml",
    "rows/e_traceability.toml",
    "rows/f_adaptation.toml",
    "rows/g_stack.toml",
    "rows/h_governance.toml",
    "rows/i_cases.toml",
    "rows/j_scenes.toml",
)
"""In the order in which the digest reads them; a file of rows begins with the letter of its section."""

_LISTS = {
    "level": "levels",
    "claim": "claims",
    "row": "techniques",
    "aim": "aims",
    "role": "roles",
    "challenge": "challenges",
    "path": "paths",
    "stage": "stages",
}


@cache
def load() -> Catalogue:
    """Return the catalogue that ships with this version.

    Raises:
        InternalError: ``catalogue.malformed`` if a file is malformed or the catalogue contradicts itself (a build
            fault).
    """
    folder = Path(__file__).parent
    return parse({name: (folder / name).read_bytes() for name in FILES})


def parse(texts: Mapping[str, bytes]) -> Catalogue:
    """Return the catalogue that ``texts`` (file name to TOML) describe; its digest is over these very bytes.

    Raises:
        InternalError: ``catalogue.malformed``.
    """
    found: dict[str, list[Any]] = {name: [] for name in _LISTS.values()}
    for name, text in texts.items():
        _collect(name, text, found)
    digest = hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts.values())).hexdigest()
    try:
        catalogue = msgspec.convert(found | {"digest": digest}, Catalogue)
    except msgspec.ValidationError as error:
        raise InternalError("catalogue.malformed", f"the catalogue is malformed: {error}.") from error
    if faults := problems(catalogue):
        raise InternalError("catalogue.malformed", "the catalogue contradicts itself: " + "; ".join(faults) + ".")
    return catalogue


def _collect(name: str, text: bytes, found: dict[str, list[Any]]) -> None:
    try:
        content = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InternalError("catalogue.malformed", f"{name} is malformed: {error}.") from error
    for kind, values in content.items():
        if kind not in _LISTS:
            raise InternalError("catalogue.malformed", f"{name} has an unknown table {kind}.")
        if kind == "row":
            letter = name.removeprefix("rows/")[0].upper()
            values = [{"section": letter} | row for row in values]  # noqa: PLW2901  the file says the section
        found[_LISTS[kind]] += values
