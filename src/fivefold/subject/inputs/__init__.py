"""Inputs: images, series, texts and recordings, read once from the very bytes whose digest was planned."""
