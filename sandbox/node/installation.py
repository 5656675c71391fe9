"""What the installer and the Machine Config Operator leave in a deployment's `/etc` and in its stateroot's `/var`."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from textwrap import dedent

from hostops.runner import Runner
from sandbox.layout import NODE_MOUNT
from sandbox.node.identity import Identity
from sandbox.node.inside.unitfiles import enable_unit
from sandbox.node.sysroot import Deployment

CONTAINERS_DEVICE = "/dev/disk/by-partlabel/var-lib-containers"
"""What is mounted at /var/lib/containers, as the mount unit says."""

NODE_KUBECONFIG = Path(
    "etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/lb-ext.kubeconfig"
)

ETCD_IMAGE = f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{'e7cd':0<64}"

_ENABLED = ("kubelet.service", "nodeip-configuration.service", "var-lib-containers.mount")

_UNITS = {
    "kubelet.service": f"""
        [Unit]
        Description=Kubernetes Kubelet
        Wants=crio.service network-online.target
        After=crio.service NetworkManager-wait-online.service nodeip-configuration.service

        [Service]
        Type=simple
        ExecStart={NODE_MOUNT}/bin/kubelet
        KillMode=mixed
        TimeoutStopSec=30
        Restart=always
        RestartSec=2

        [Install]
        WantedBy=multi-user.target
    """,
    "nodeip-configuration.service": f"""
        [Unit]
        Description=Writes IP address configuration so that kubelet and crio services select a valid node IP
        After=NetworkManager-wait-online.service
        Before=kubelet.service

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart={NODE_MOUNT}/bin/nodeip-configuration

        [Install]
        WantedBy=multi-user.target
    """,
    "var-lib-containers.mount": f"""
        [Unit]
        Description=Mount /var/lib/containers

        [Mount]
        What={CONTAINERS_DEVICE}
        Where=/var/lib/containers
        Type=xfs
        Options=defaults,prjquota

        [Install]
        WantedBy=multi-user.target
    """,
}


def install_node(runner: Runner, deployment: Deployment, identity: Identity, registry: str) -> None:
    """Write the node's configuration into a freshly made deployment. Raises OSError, CommandError.

    `registry` (host:port) is allowed without TLS.
    """
    etc, var = deployment.root / "etc", deployment.var
    for name, text in _UNITS.items():
        _write(etc / "systemd/system" / name, text)
    for name in _ENABLED:
        enable_unit(name, str(deployment.root))
    for name, text in _etc_files(identity, registry).items():
        _write(etc / name, text)
    _write_connection(etc)
    _make_server_keys(runner, etc / "ssh")
    _write_var(var, identity, registry)


def _etc_files(identity: Identity, registry: str) -> dict[str, str]:
    domain = f"{identity.cluster_name}.{identity.base_domain}"
    return {
        "hostname": f"{identity.node_name}\n",
        "hosts": f"""
            127.0.0.1 localhost localhost.localdomain {identity.node_name} api.{domain} api-int.{domain}
            ::1 localhost localhost.localdomain
        """,
        "containers/registries.conf": f"""
            unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]

            [[registry]]
            location = "{registry}"
            insecure = true

            [[registry]]
            prefix = "quay.io/edge-infrastructure"
            location = "{registry}/edge-infrastructure"
            insecure = true
        """,
        "containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
        "mco/proxy.env": "# Proxy environment variables will be populated in this file.\n",
        "machine-config-daemon/currentconfig": json.dumps(_machine_config()),
        "mcs-machine-config-content.json": json.dumps(_machine_config()),
        "kubernetes/manifests/etcd-pod.yaml": f"""
            apiVersion: v1
            kind: Pod
            metadata: {{name: etcd, namespace: openshift-etcd}}
            spec:
              containers:
              - name: etcd
                image: {ETCD_IMAGE}
        """,
    }


def _machine_config() -> dict[str, object]:
    files = [{"path": "/var/lib/kubelet/config.json", "mode": 384, "contents": {"source": "data:,"}}]
    ignition = {"ignition": {"version": "3.4.0"}, "storage": {"files": files}}
    return {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfig",
        "metadata": {"name": "rendered-master-sandbox"},
        "spec": {"config": ignition, "kernelArguments": ["tsc=nowatchdog"], "fips": False, "osImageURL": ""},
    }


def _write_connection(etc: Path) -> None:
    connection = etc / "NetworkManager/system-connections/ens3.nmconnection"
    _write(
        connection,
        """
        [connection]
        id=ens3
        type=ethernet
        interface-name=ens3
        [ipv4]
        method=auto
        """,
    )
    connection.chmod(0o600)


def _make_server_keys(runner: Runner, ssh: Path) -> None:
    ssh.mkdir(exist_ok=True)
    key = ssh / "ssh_host_ed25519_key"
    runner.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key))
    public = runner.run("openssl", "pkey", "-in", str(key), "-pubout").output
    key.with_suffix(".pub").write_text(public + "\n")


def _write_var(var: Path, identity: Identity, registry: str) -> None:
    auth = base64.b64encode(f"{identity.cluster_name}:{secrets.token_hex(8)}".encode()).decode()
    pull_secret = {"auths": {"quay.io": {"auth": auth}, registry: {"auth": auth}}}
    _write(var / "lib/kubelet/config.json", json.dumps(pull_secret))
    (var / "lib/kubelet/config.json").chmod(0o600)
    _write(var / "home/core/.ssh/authorized_keys.d/ignition", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 core@sandbox\n")
    script = var / "usrlocal/bin/dnsmasq_config.sh"
    _write(
        script,
        "#!/usr/bin/bash\n# Writes the dnsmasq configuration of a single node; the sandbox resolves by /etc/hosts.\n",
    )
    script.chmod(0o755)
    program = var / "usrlocal/bin/lca-cli"
    _write(program, '#!/usr/bin/bash\n# One executable on a real node.\nexec /sandbox/bin/lca-node "$@"\n')
    program.chmod(0o755)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"))
