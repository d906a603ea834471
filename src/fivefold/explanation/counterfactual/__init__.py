"""Counterfactual explanation (E2.counterfactual): what would have to differ for another answer, and does it hold?"""
