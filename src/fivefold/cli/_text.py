"""Plain lines for people: never wrapped, so that paths and ids can be copied, and never read as markup."""

from __future__ import annotations

from typing import Any

from fivefold.cli._io import console, out


def say(*, json: bool, value: Any, lines: list[str]) -> None:
    """Write ``value`` as JSON, or ``lines`` for people."""
    if json:
        out(json=True, value=value, view="")
        return
    from rich.text import Text

    console().print(Text("\n".join(_printable(line) for line in lines)), soft_wrap=True)


def _printable(line: str) -> str:
    """Return a line without control characters: what stands in evidence may have been written by anybody."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in line)
