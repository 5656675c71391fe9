"""The Upgrade stage before the reboot: backups, exports into the new stateroot, the switch of the default."""
