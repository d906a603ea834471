"""Recorder: an account of what happened that nobody can rewrite unnoticed."""

from fivefold.traceability.recorder.opening import open_reading, open_recorder
from fivefold.traceability.recorder.reading import Reading
from fivefold.traceability.recorder.recorder import Recorder

__all__ = ["Reading", "Recorder", "open_reading", "open_recorder"]
