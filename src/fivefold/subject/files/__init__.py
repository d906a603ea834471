"""Files: models that are a file of a known form, opened by the product itself in the model's process."""
