"""Backups and restores through Velero's custom resources."""
