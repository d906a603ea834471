"""Ante-hoc: models that are read as they are (additive, scoring table, rule list), their printed page, their checks."""
