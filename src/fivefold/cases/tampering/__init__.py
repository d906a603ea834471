"""X9: rows that a support office learns from, and decisions on its record, changed by somebody with access."""
