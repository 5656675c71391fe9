"""Is the cluster stable enough to go on? The checks in front of Prep, Upgrade and finalize (prep.md 3)."""
