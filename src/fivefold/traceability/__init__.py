"""Traceability: who made and signed what, back to model, training and data."""
