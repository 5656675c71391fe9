"""The watchdog that sends the node back when an upgrade does not complete in time: `lca-node init-monitor`."""
