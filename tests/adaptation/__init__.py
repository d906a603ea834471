"""Tests of the room that adapts to attacks, doubt and new data."""
