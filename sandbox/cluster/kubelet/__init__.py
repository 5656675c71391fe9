"""The kubelet of a sandbox: runs the Pods of its node for real, each container in a bubblewrap of its own."""
