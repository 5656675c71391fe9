"""Programs that run on the host, outside of the operator: `lca-node`."""
