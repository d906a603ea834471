"""P1.text: a few words misspelt, or replaced by others that mean the same."""
