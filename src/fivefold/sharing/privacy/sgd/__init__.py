"""Nets that are learned from clipped, noisy sums of gradients over Poisson samples, and runs that watch themselves."""
