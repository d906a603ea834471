"""X5: an accident of a car that brakes by itself, and who answers for it, from the record alone."""
