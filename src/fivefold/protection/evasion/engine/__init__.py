"""Attack engine: white-box and black-box attacks on vectors of numbers, all rows at once, every question counted."""
