"""CSV text: what can be wrong with a CSV file, in the same words and with the same remedy in every command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fivefold.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def not_utf8(name: str, head: bytes) -> InputError:
    """Return the error of a file that is no UTF-8 text.

    Args:
        name: File name.
        head: Its first bytes.
    """
    kind = _WIDE.get(head[:2]) or ("UTF-16" if b"\0" in head[:200] else "ISO-8859-1")
    seems = "it is" if kind == "UTF-16" else "perhaps it is"
    return InputError(
        "data.encoding",
        f"{name} is not UTF-8 text; {seems} {kind}.",
        remedy=f"Save it as UTF-8, for example: iconv -f {kind} -t UTF-8 {name} > new.csv.",
    )


def require_text(name: str, head: bytes) -> None:
    """Check that the first bytes of a file can be UTF-8 text.

    Raises:
        InputError: ``data.encoding`` for UTF-16.
    """
    if head[:2] in _WIDE:
        raise not_utf8(name, head)


def require_commas(name: str, columns: Sequence[str]) -> None:
    """Check that the header was parted by commas.

    Raises:
        InputError: ``data.separator`` if it is one column whose name holds another separator.
    """
    found = next((words for mark, words in _SEPARATORS.items() if len(columns) == 1 and mark in columns[0]), "")
    if found:
        raise InputError(
            "data.separator",
            f"the columns of {name} are separated by {found}.",
            remedy="Save it with commas, and with points in numbers; pandas: read_csv(..., sep=...).to_csv(...).",
        )


def ragged(name: str, line: int, cells: int, columns: int) -> InputError:
    """Return the error of a row that does not fit the header.

    Args:
        name: File name.
        line: Its line, from 1; the header is line 1.
        cells: Cells of the row.
        columns: Columns that the header names.
    """
    return InputError(
        "data.ragged",
        f"line {line:,} of {name} has {cells} cell{'s' if cells != 1 else ''}, the header names {columns} columns.",
        remedy="Give each row one cell for each column; quote cells that hold a comma.",
    )


def broken(name: str, why: str) -> InputError:
    """Return the error of a file that is no CSV for another reason."""
    return InputError("data.unreadable", f"{name} cannot be read as CSV ({why}).", remedy="Write the file again.")


def empty(name: str) -> InputError:
    """Return the error of a file without a header."""
    return InputError("data.empty", f"{name} is empty.", remedy="The first line must name the columns.")
