"""Evasion (checks P1.blackbox and P1.gradient): how often small, allowed changes of the input change the answer."""
