"""T1: data labels bound to the bytes of the data."""
