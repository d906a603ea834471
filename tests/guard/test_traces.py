"""Spans where OpenTelemetry is set up, and nothing where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fivefold.guard import traces

if TYPE_CHECKING:
    from pathlib import Path

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (PARENT, "0af7651916cd43dd8448eb211c80319c"), ("", ""), ("00-x-y-01", ""), ("0af7", ""),
        ("00-0af7651916cd43dd8448eb211c80319--b7ad6b7169203331-01", ""), (f"{PARENT}-more", ""),
    ],
)  # fmt: skip
def test_the_trace_id_is_read_or_there_is_none(header: str, found: str) -> None:
    """As W3C Trace Context writes it."""
    assert traces.trace_id(header) == found


def test_without_opentelemetry_there_is_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is inside runs."""
    monkeypatch.setattr(traces, "trace", None)
    with traces.span("guard.infer", PARENT) as made:
        assert made is None


def test_a_span_belongs_to_the_callers_trace_and_holds_nothing(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent is the asker's; no input, answer or person is among its attributes."""
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from tests.guard.signed import ROW

    from fivefold.guard import Guard
    from fivefold.guard.nouns import Principal
    from fivefold.guard.protocol import Asked, Input
    from fivefold.guard.service import Service
    from fivefold.guard.tokens import Tokens

    seen, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    monkeypatch.setattr(traces.trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(traces.trace, "get_tracer", provider.get_tracer)
    inputs = [Input(name, [1], "BYTES" if isinstance(value, str) else "FP64", [value]) for name, value in ROW.items()]
    with Guard(app) as guard:
        principal = Principal("b", "caller", ("sorting",))
        Service(guard, Tokens(app.name), {}).infer(principal, Asked(inputs, parameters={"subject": "Jane"}), PARENT)
    (span,) = seen.get_finished_spans()
    assert span.name == "guard.infer"
    assert f"{span.context.trace_id:032x}" == traces.trace_id(PARENT)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    assert not span.attributes
    assert not span.events
