"""Measures speed and memory as ratios to a bare floor, taken in the same run on the same machine."""
