"""A whole single node in a folder: rehearsal, demo and the bed of the flow tests."""
