"""Fivefold holds an AI application to five objectives and leaves signed evidence.

The package root exports its version and nothing else. The public entry points are the command
``fivefold`` and :func:`fivefold.assess.assess_model`.
"""

__version__ = "0.1.0"
