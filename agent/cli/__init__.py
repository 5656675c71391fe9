"""The `lca` command."""
