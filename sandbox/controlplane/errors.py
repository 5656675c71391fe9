"""What can go wrong with a control plane."""

from __future__ import annotations


class ControlPlaneError(Exception):
    """The control plane can not be started or used; one line saying what, where and what to do next."""
