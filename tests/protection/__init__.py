"""Tests of the room that attacks and measures models."""
