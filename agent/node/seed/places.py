"""Files and folders of the builder on the host (seed-image-and-gitops.md B.2)."""

from __future__ import annotations

BACKUP = "/var/tmp/backup"  # noqa: S108 - the names are the format's
"""What becomes the image."""

LAYOUT = f"{BACKUP}/layout"
"""The image itself: large archives are written into it straight away."""

CHECKS = "/var/tmp/checks"  # noqa: S108
"""Markers `<step>.done`."""

CRYPTO = "/var/tmp/backupCertsDir"  # noqa: S108
"""The cluster's keys, with which it is brought back; never part of the image."""

SEED_DATA = "/var/seed_data"
PROGRAM = "/usr/local/bin/lca-cli"
"""This program, in its own container or on the host."""

HOST_PROGRAM = "/var/usrlocal/bin/lca-cli"
LOCK = "/var/run/lca-seed.lock"
"""A folder that container and host share and that a reboot empties."""

NODE_AUTH_FILE = "/var/lib/kubelet/config.json"
NODE_KUBECONFIG = "/etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/lb-ext.kubeconfig"
NETWORK_CERTIFICATES = ("/var/lib/ovn-ic/etc/ovnkube-node-certs", "/etc/cni/multus/certs")
