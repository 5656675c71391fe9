"""What a cluster holds at its first boot: kinds (`kinds.yaml`), objects (`objects/*.yaml`), made identities."""
