"""The seed image: format, creation, restoration and compatibility."""
