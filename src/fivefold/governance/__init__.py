"""Governance: data, people and process around the model."""
