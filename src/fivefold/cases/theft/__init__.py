"""X9.theft: a model that is copied by asking it, or carried off, and what its owner can do."""
