"""Gaps between groups (F1.gaps): selection, error and calibration compared over protected fields."""
