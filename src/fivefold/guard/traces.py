"""Traces: a span around each inference, where OpenTelemetry is installed and the process has set it up.

Nothing is set up here: start the server with ``opentelemetry-instrument`` and its environment variables, or set a
tracer provider in the program that holds the guard. A span holds no input, no answer and no person.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    from opentelemetry import propagate, trace
except ImportError:
    trace = None  # type: ignore[assignment,unused-ignore]

ID = 32
"""Hexadecimal digits of a trace id."""


def trace_id(parent: str) -> str:
    """Return the trace id of a ``traceparent`` header (W3C Trace Context); empty: it has none."""
    parts = parent.split("-")
    whole = len(parts) == 4 and len(parts[1]) == ID and parts[1].isascii() and parts[1].isalnum()
    return parts[1] if whole else ""


@contextlib.contextmanager
def span(name: str, parent: str) -> Iterator[Any]:
    """Run something in a span.

    Args:
        name: Of the span.
        parent: A ``traceparent`` header; empty: there is none.
    """
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # nobody set it up
        yield None
        return
    context = propagate.extract({"traceparent": parent}) if parent else None
    with trace.get_tracer("fivefold.guard").start_as_current_span(
        name, context=context, record_exception=False, set_status_on_exception=False
    ) as made:
        yield made
