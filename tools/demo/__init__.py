"""A walk through an upgrade that works and one that rolls back by itself, in a sandbox."""
