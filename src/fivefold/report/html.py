"""HTML: one self-contained page; no script, no other host, a strict content security policy, at most 300 kB."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fivefold import __version__
from fivefold.report import words
from fivefold.report.nouns import AttemptLine, Document, WaiverLine
from fivefold.report.view import Detail, page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Template
    from markupsafe import Markup

    from fivefold.contract.finding import Finding
    from fivefold.contract.plan import Plan
    from fivefold.contract.verdict import Verdict
    from fivefold.manifest.nouns import Manifest

MAX_BYTES = 300_000
"""Largest page in bytes."""

_DETAILS = (
    Detail(),
    Detail(bars=False),
    Detail(measures=60, bars=False),
    Detail(measures=25, bars=False, plots=2, listed=200),
    Detail(measures=10, bars=False, plots=0, listed=100, attempts=100),
    Detail(measures=3, bars=False, plots=0, listed=20, attempts=20),
)
"""From everything to little: the first that fits is used, and the page says what it left out."""


def render(
    plan: Plan,
    findings: Iterable[Finding],
    verdict: Verdict,
    attempts: Iterable[AttemptLine] = (),
    signer_line: str = "",
    *,
    waivers: Iterable[WaiverLine] = (),
) -> bytes:
    """Render a report that is written while its evidence is being sealed; see :func:`render_document`."""
    return render_document(
        Document(
            plan=plan,
            findings=tuple(findings),
            verdict=verdict,
            attempts=tuple(attempts),
            signer=signer_line,
            waivers=tuple(waivers),
        )
    )


def write(value: Document, manifest: Manifest | None = None, place: str = "fivefold.yaml") -> bytes:  # noqa: ARG001
    """Return the page; see :meth:`fivefold.report.formats.Format.write`."""
    return render_document(value)


def render_document(document: Document) -> bytes:
    """Render a document as one HTML file.

    The same document gives the same bytes. Text of the application (labels, reasons, names) is escaped, never markup.

    Returns:
        UTF-8, at most :data:`MAX_BYTES` bytes unless the plan itself is larger than any that a manifest can ask for.
    """
    text = b""
    for detail in _DETAILS:
        text = _template().render(page=page(document, detail), version=__version__).encode("utf-8", "replace")
        if len(text) <= MAX_BYTES:
            break
    return text


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup as Safe

    environment = Environment(
        loader=PackageLoader("fivefold.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: words.plain(value) if type(value) is str else value,
    )
    style = files("fivefold.report").joinpath("templates", "report.css").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # The style sheet ships with us and holds no "</style>", so it is the one thing that is not escaped.
    environment.globals |= {"style": Safe(style), "style_digest": digest}  # noqa: S704
    environment.filters |= {"number": words.number, "plural": words.plural, "listed": words.listed, "ticks": _ticks}
    return environment.get_template("report.html.j2")


def _ticks(text: str) -> Markup:
    """Return text with every part between backticks set as code; everything is escaped."""
    from markupsafe import Markup, escape

    parts = words.plain(text).split("`")
    if len(parts) % 2 == 0:
        return escape(words.plain(text))
    pieces = (escape(part) if i % 2 == 0 else Markup("<code>{}</code>").format(part) for i, part in enumerate(parts))
    return Markup("").join(pieces)
