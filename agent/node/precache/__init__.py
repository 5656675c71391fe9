"""Pulls the images of the new release before the reboot (prep.md 9)."""
