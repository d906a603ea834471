"""Governance: data, people and process."""
