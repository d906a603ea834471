"""Operation: what an application's record says of its use: who overrides it, how fast, and what good it does."""
