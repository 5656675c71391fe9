"""Outcomes, steps, itineraries, conditions and history; no I/O."""
