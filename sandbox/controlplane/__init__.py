"""A real Kubernetes control plane (etcd, API server, controller manager) on loopback, for tests and for the sandbox."""

from sandbox.controlplane.binaries import Binaries, find_binaries
from sandbox.controlplane.errors import ControlPlaneError
from sandbox.controlplane.plane import LEAN_CONTROLLERS, ControlPlane

__all__ = ["LEAN_CONTROLLERS", "Binaries", "ControlPlane", "ControlPlaneError", "find_binaries"]
