"""Custom resource models and the CRD YAML generated from them."""
