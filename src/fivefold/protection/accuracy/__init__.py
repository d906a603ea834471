"""P3.accuracy: how often a model is wrong, overall, per scenario and per slice."""
