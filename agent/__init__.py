"""Lifecycle Agent: what runs on the cluster and on the node."""
