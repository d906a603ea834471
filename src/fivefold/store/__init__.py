"""Store: the only SQL of the product; rooms own their tables."""
