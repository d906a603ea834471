"""Handles on the thing under test: data sets read as tables, models asked in a worker, answers checked and coded."""
