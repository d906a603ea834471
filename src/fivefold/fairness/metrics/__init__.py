"""Figures by group (F1.metrics): classes, values and ranks from one pass, with intervals that hold together."""
