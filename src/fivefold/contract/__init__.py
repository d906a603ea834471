"""The seams: frozen nouns that cross rooms, Protocols that techniques implement, and the registry of packs."""
