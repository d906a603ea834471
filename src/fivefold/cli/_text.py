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

    console().print(Text("\n".join(lines)), soft_wrap=True)
