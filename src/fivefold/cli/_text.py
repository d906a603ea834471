"""Plain lines for people: never wrapped, so that paths and ids can be copied, and never read as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fivefold.cli._io import console, out

if TYPE_CHECKING:
    from collections.abc import Callable


def say(*, json: bool, value: Any, lines: list[str]) -> None:
    """Write ``value`` as JSON, or ``lines`` for people."""
    if json:
        out(json=True, value=value, view="")
        return
    from rich.text import Text

    console().print(Text("\n".join(_printable(line) for line in lines)), soft_wrap=True)


def announcing(host: str, lines: Callable[[str], list[str]]) -> Callable[[int], None]:
    """Return what a service calls with its port once it listens: it prints the lines for its address."""
    at = f"[{host}]" if ":" in host else host
    return lambda port: say(json=False, value=None, lines=[*lines(f"http://{at}:{port}"), "Ctrl-C ends it."])


def _printable(line: str) -> str:
    """Return a line without control characters: what stands in evidence may have been written by anybody."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in line)
