"""X3: a screening that is right for reasons that doctors reject."""
