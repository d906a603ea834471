"""Explanation: why a model answers as it does, and whether those reasons are right."""
