"""What turns the booted seed into the site's cluster, before and while its kubelet starts: `lca-node post-pivot`."""
