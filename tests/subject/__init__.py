"""Tests of the room subject."""
