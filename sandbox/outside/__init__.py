"""The services a node finds outside of itself: a container registry and an S3 server.

They are processes of the sandbox's supervisor, not of the node: reboots and power losses leave them alone, and what
they were given is on disk before they confirm it, so `down` and `up` (and a killed supervisor) lose nothing.
"""

from sandbox.outside.objectstore import ObjectStore, S3Credentials
from sandbox.outside.registry import Registry
from sandbox.outside.service import Service

__all__ = ["ObjectStore", "Registry", "S3Credentials", "Service"]
