"""What OpenShift's operators would do, as far as others can see it: status, certificates, the node's pull secret."""
