"""Mitigation (F1.mitigation): weights, constraints, thresholds by group, and a correction that asks for no group."""
