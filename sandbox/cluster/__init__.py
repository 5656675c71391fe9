"""The cluster of one node: what `kubelet.service` of a sandbox runs (`python -m sandbox.cluster --config FILE`)."""
