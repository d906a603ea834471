"""The truth battery: subjects whose defects are known, put before the real checks.

``python -m tests.truth --check F1.gaps --subjects 600 --seed 7 --json out.json`` runs one check in full.
"""
