"""Sensitivity (E3.sensitivity): which columns the variance of the answers comes from, alone and with others."""
