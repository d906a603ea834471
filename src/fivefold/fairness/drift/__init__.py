"""Drift of fairness: gaps between groups in operation, from the record, with bounds that hold whenever one looks."""
