"""Model self-protection: attacks and measurements of a model's errors, leaks and thefts."""
