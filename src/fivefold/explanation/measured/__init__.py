"""Measured explanations (E4): do reasons follow a planted truth, and do they change when the model is destroyed?"""
