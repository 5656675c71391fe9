"""recert on the node: rewriting the stopped cluster's etcd and files."""
