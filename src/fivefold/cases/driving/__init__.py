"""X1: stop and priority signs that a car does not see, since somebody put a sticker on them or noise in its camera."""
