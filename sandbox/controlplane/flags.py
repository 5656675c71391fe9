"""The command lines of the three programs, for every version from 1.20 on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sandbox.controlplane.binaries import knows_flag
from sandbox.controlplane.pki import Pki
from sandbox.controlplane.ports import LOOPBACK

Flags = dict[str, str]

# Sockets of these names in the working directory of etcd and of the API server: no port to race for, and whoever may
# not enter that directory can not speak to etcd.
_ETCD = "unix://localhost:2379"
_ETCD_PEER = "unix://localhost:2380"


def etcd_flags(data: Path, *, durable: bool) -> Flags:
    """A single member whose addresses never change, so that its data can be moved."""
    flags = {
        "name": "default",
        "data-dir": str(data),
        "listen-client-urls": _ETCD,
        "advertise-client-urls": _ETCD,
        "listen-peer-urls": _ETCD_PEER,
        "initial-advertise-peer-urls": _ETCD_PEER,
        "initial-cluster": f"default={_ETCD_PEER}",
    }
    return flags if durable else flags | {"unsafe-no-fsync": "true"}


def api_server_flags(pki: Pki, port: int, program: Path, token_file: Path) -> Flags:
    """RBAC, token and client-certificate users, service account tokens; no webhook or aggregated server is assumed.

    Beta APIs are off, as newer versions have them by themselves: on 1.20 that saves 150 MB when 44 CRDs are installed.
    Fair queuing goes with them, because its API is one of them.
    """
    flags = {
        "etcd-servers": _ETCD,
        "advertise-address": LOOPBACK,
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": str(pki.service_account_public_key),
        "service-account-signing-key-file": str(pki.service_account_key),
        "token-auth-file": str(token_file),
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": "10.0.0.0/24",
        "endpoint-reconciler-type": "none",
        "allow-privileged": "true",
        "disable-admission-plugins": "ServiceAccount",
        "runtime-config": "api/beta=false",
    }
    return _serving_flags(pki, port) | flags | _known(program, {"enable-priority-and-fairness": "false"})


def controller_manager_flags(pki: Pki, port: int, program: Path, kubeconfig: Path, controllers: Sequence[str]) -> Flags:
    """The given controllers, at work at once (no election)."""
    flags = {
        "kubeconfig": str(kubeconfig),
        "authentication-kubeconfig": str(kubeconfig),
        "authorization-kubeconfig": str(kubeconfig),
        "controllers": ",".join(controllers),
        "service-account-private-key-file": str(pki.service_account_key),
        "root-ca-file": str(pki.ca_certificate),
        "leader-elect": "false",
    }
    # Old versions open a fixed port besides, without TLS.
    return _serving_flags(pki, port) | flags | _known(program, {"port": "0"})


def _serving_flags(pki: Pki, port: int) -> Flags:
    return {
        "bind-address": LOOPBACK,
        "secure-port": str(port),
        "tls-cert-file": str(pki.serving_certificate),
        "tls-private-key-file": str(pki.serving_key),
        "client-ca-file": str(pki.ca_certificate),
        "profiling": "false",
    }


def _known(program: Path, flags: Flags) -> Flags:
    return {flag: value for flag, value in flags.items() if knows_flag(program, flag)}
