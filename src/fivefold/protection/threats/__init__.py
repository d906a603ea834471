"""Threats: a detector of flows of families that nobody has seen yet, and what it is measured by (row P5)."""
