"""Techniques of objective 5: what an application does when the model is unsure, attacked or overtaken by the world."""
