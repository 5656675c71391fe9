"""The way back to Idle: abort before the pivot, finalize after an upgrade or a rollback (ibu-api.md 6)."""
