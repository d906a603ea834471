"""Sharing: what is learned from data is safe to share, and bad data does not get in."""
