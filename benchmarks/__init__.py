"""Benchmarks: `python -m benchmarks NAME` measures us beside the named peers in one run and prints ratios."""
