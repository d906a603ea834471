"""Global surrogate (E3.surrogate): a small tree that says what the model does, and how much of it."""
