"""Data sharing: bad rows found before a model learns from them."""
