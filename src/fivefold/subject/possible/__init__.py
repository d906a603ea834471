"""Possible rows: what may be changed of a row, what each change costs, and a validator that believes nobody."""
