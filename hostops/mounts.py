"""Mounts: `/sysroot` is read-only on a booted node, and every change below it has to make it writable first."""

from __future__ import annotations

from hostops.runner import Runner

# The root of a deployment is immutable; where the flag can not be changed rm says what is wrong.
_REMOVE_TREE = 'mount -o remount,rw /sysroot || exit; chattr -i "$0" "$0"/deploy/* 2>/dev/null; exec rm -rf -- "$0"'


def remount_writable(runner: Runner, mount_point: str = "/sysroot") -> None:
    """Make a mounted file system writable. Raises CommandError."""
    runner.run("mount", mount_point, "-o", "remount,rw")


def remove_tree_below_sysroot(runner: Runner, host_path: str) -> None:
    """Remove a tree below the read-only `/sysroot`, also deployments with the immutable flag; absence is fine.

    `/sysroot` becomes writable in a mount namespace of its own only (ibu-api.md 6.3). Raises CommandError.
    """
    runner.run("unshare", "-m", "/bin/sh", "-c", _REMOVE_TREE, host_path)
