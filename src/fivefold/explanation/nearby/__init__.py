"""Local surrogate (E2.surrogate): what moves one answer nearby, as a short sum, and how much of it that tells."""
