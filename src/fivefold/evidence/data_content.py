"""Data content: the Merkle roots of a labelled table by column, over leaves of one column in one group of rows."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from fivefold.contract.codec import canonical
from fivefold.errors import TrustError
from fivefold.log import tree

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LEAVES = 4096
"""Most leaves of a table with at most as many columns; wider ones have one group."""
MIN_GROUP = 256
"""Fewest rows of a group: a leaf over fewer would let its values be guessed."""
MAX_COLUMNS = 8192
"""Most columns: their leaves alone take half of a label."""


class ColumnContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column.

    Attributes:
        name: As stored.
        kind: How its values are read, for example ``integer``; see docs/formats/data-label.md.
        blank: What an empty text is: a value (``text``) or ``missing``; empty for what is no text.
        root: Merkle root over its leaves, hexadecimal.
    """

    name: str
    kind: str
    blank: str = ""
    root: str = ""


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table as it was labelled, independent of the encoding of its file.

    Attributes:
        rows: How many.
        group: Rows of a group; the last has the rest.
        columns: In the order of the file.
        leaves: Base64 of the 32-byte leaves, all groups of the first column, then of the second.
        root: Merkle root over the columns, hexadecimal.
        tally: 64 bits over the whole rows in any order, hexadecimal; empty where they are too much alike. It tells
            moved rows from changed ones, and proves nothing.
    """

    rows: int
    group: int
    columns: tuple[ColumnContent, ...]
    leaves: str
    root: str
    tally: str = ""

    @property
    def groups(self) -> int:
        """How many groups of rows there are."""
        return -(-self.rows // self.group)

    def table(self) -> list[list[bytes]]:
        """Return the leaves of each column by group.

        Raises:
            TrustError: ``label.malformed`` unless leaves, roots and counts belong together.
        """
        try:
            data = base64.b64decode(self.leaves, validate=True)
        except (binascii.Error, ValueError):
            data = b"\0"
        if self.rows < 0 or self.group < 1 or len(data) != 32 * self.groups * len(self.columns):
            raise TrustError("label.malformed", "the label's leaves are not as many as its columns and rows.")
        flat = [data[at : at + 32] for at in range(0, len(data), 32)]
        found = [flat[at * self.groups : (at + 1) * self.groups] for at in range(len(self.columns))]
        roots = [tree.root(leaves).hex() for leaves in found]
        names = {column.name for column in self.columns}
        if roots != [column.root for column in self.columns] or len(names) != len(roots) or self.root != top(
            self.columns
        ):  # fmt: skip
            raise TrustError("label.malformed", "the label's roots are not those of its leaves.")
        return found


def made(
    size: tuple[int, int], columns: Sequence[ColumnContent], leaves: Sequence[Sequence[bytes]], tally: str
) -> Content:
    """Return content of so many rows in groups of so many from its leaves: for each column one for each group."""
    rooted = tuple(
        msgspec.structs.replace(column, root=tree.root(mine).hex())
        for column, mine in zip(columns, leaves, strict=True)
    )
    data = b"".join(leaf for mine in leaves for leaf in mine)
    return Content(
        rows=size[0],
        group=size[1],
        columns=rooted,
        leaves=base64.b64encode(data).decode(),
        root=top(rooted),
        tally=tally,
    )


def top(columns: Sequence[ColumnContent]) -> str:
    """Return the root over columns, each with its name, kind and root."""
    return tree.root([tree.leaf_hash(canonical([item.name, item.kind, item.root])) for item in columns]).hex()


def group_of(rows: int, columns: int) -> int:
    """Return how many rows a group has: the least power of two from 256 on that gives at most 4,096 leaves."""
    size, most = MIN_GROUP, max(1, MAX_LEAVES // max(1, columns))
    while -(-rows // size) > most:
        size *= 2
    return size
