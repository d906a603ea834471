"""Where a model comes from (T2.provenance), and the way from a decision back to it and forward again (T2.trace)."""
