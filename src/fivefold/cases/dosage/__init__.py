"""X2: a few bad rows in a table of doses, and what they do to patients."""
