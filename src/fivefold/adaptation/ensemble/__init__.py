"""Ensemble (row C2): members that see other views of a row, and whose disagreement with the model is an alarm."""
