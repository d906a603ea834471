"""Admission: who may ask for what, and whether the input lies in what was declared (row D1)."""
