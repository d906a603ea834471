"""X4: the type of a gene, told from a model of doses by somebody who was never given it."""
