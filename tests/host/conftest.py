"""Tests of the host primitives with the real programs.

Real: bash, tar, ostree, podman, skopeo, buildah, the registry, file systems. Each test works in its own scratch folder:
a private sysroot, a private container storage, a private registry on a free loopback port; nothing of the machine is
touched. Programs that only exist on a booted node (rpm-ostree, systemctl, systemd-run, chcon, crictl) are played by a
recording stand-in that stands first in PATH: it notes its argv NUL-separated and answers from a table.
"""
