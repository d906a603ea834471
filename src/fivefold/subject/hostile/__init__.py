"""Hostile files: what no loader may be given, told by the bytes alone and before anything opens them."""
