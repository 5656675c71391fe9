"""A package, so that its cluster goes when its last test has run: other tests share the API server."""
