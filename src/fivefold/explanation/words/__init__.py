"""Words: the reason of an answer as sentences, in two languages, and what can be wrong with such sentences."""
