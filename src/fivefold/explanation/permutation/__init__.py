"""Permutation importance (E3.permutation): what the model goes by overall, with intervals."""
