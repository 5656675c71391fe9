"""Stand-in for Velero and OADP."""
