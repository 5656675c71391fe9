"""The ways back into the original release: the Rollback stage, its end, and the automatic rollback."""
