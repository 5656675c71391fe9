"""Host primitives; knows no Kubernetes."""
