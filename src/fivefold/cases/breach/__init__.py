"""X9.breach: people singled out from differences between releases, and answers read in a store that is taken."""
