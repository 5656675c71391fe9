"""What is measured: each module here has `measure() -> Iterator[Figure]`; a new file is found by itself."""
