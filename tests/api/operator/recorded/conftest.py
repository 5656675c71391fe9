"""Recorded runs of the original operator, performed on ours.

Real: the operator as a process with the rights that deploy/ grants, the API server, ostree with real deployments that
are booted and removed, kills and reboots. Played, by recording stand-ins: what only a booted node has (rpm-ostree,
systemctl, the reboot) and what would need images (podman, skopeo, crictl). No controller runs, so Jobs, Backups and
Restores become what the run says.
"""
