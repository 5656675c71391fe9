"""The builder: makes a seed image of the node it runs on, and brings the node's cluster back."""
