"""Fairness: benefits and errors compared between groups of people, with intervals."""
