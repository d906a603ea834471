"""Personal data (G3): found in columns and free text, reported, masked, and held against what is declared."""
