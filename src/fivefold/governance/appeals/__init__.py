"""Appeals: a decision that a person challenges, from the receipt to the remedy, every step on record."""
