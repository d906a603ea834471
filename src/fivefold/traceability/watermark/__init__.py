"""Ownership of a model (T3): marks by a key in weights and behaviour, fingerprints, and how a claim is judged."""
