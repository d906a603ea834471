"""Theft (checks P2.detection, P2.benign, P2.shaping): whether a stream of questions is one that copies the model."""
