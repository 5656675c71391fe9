"""Builds the new stateroot from the seed image (prep.md 7)."""
