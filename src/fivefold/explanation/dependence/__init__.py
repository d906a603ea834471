"""Dependence (E3.dependence): how the answer moves with each column, as curves with intervals."""
