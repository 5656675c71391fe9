"""Programs that run on the host outside any pod (`lca-node`)."""
