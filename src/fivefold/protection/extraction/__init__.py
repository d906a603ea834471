"""Extraction (check P2.extraction): how well somebody who only asks the model questions can copy it."""
