"""Manifests for the new release: where they come from; Prep checks them, the Upgrade stage exports them."""
