"""Programs of the node that are played: what the agent relies on in the originals."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from sandbox.node.sandbox import Sandbox

WaitUntil = Callable[[Callable[[], bool]], None]


def test_recert_goes_on_when_podman_is_killed(bare: Sandbox, wait_until: WaitUntil) -> None:
    """As a real container does. Its configuration is a pipe: it can not end before the test lets it."""

    def exists() -> bool:
        return bare.run("podman", "container", "exists", "recert", check=False).returncode == 0

    bare.run("mkfifo", "/run/recert-config")
    words = "podman run --rm --name recert -v /var/tmp:/var/tmp -e RECERT_CONFIG=/run/recert-config quay.io/recert"
    client = subprocess.Popen(bare.exec_argv(words.split()))
    wait_until(exists)
    client.kill()
    client.wait()
    assert exists()
    bare.run("bash", "-c", """echo '{"summary_file_clean":"/var/tmp/done.yaml"}' >/run/recert-config""")
    wait_until(lambda: not exists())
    assert bare.run("cat", "/var/tmp/done.yaml").stdout.startswith("recert_config:")


def test_services_have_no_home(bare: Sandbox) -> None:
    bare.run("systemd-run", "--wait", "bash", "-c", "env >/run/environment")
    names = {line.partition("=")[0] for line in bare.run("cat", "/run/environment").stdout.splitlines()}
    assert "PATH" in names
    assert "HOME" not in names


def test_nmstatectl_refuses_what_is_no_mapping(bare: Sandbox) -> None:
    bare.run("bash", "-c", "echo 'a: [' >/run/broken.yaml; echo 'interfaces: []' >/run/good.yaml")
    broken = bare.run("nmstatectl", "apply", "/run/broken.yaml", check=False)
    assert (broken.returncode, "InvalidArgument: Invalid YAML string" in broken.stderr) == (1, True)
    assert bare.run("nmstatectl", "apply", "/run/absent.yaml", check=False).returncode == 1
    bare.run("nmstatectl", "apply", "/run/good.yaml")
    assert bare.run("cat", "/run/nmstate-applied.yaml").stdout == "interfaces: []\n"


def test_update_ca_trust_bundles_the_anchors(bare: Sandbox) -> None:
    bare.run("bash", "-c", "mkdir -p /etc/pki/ca-trust/source/anchors; echo CA >/etc/pki/ca-trust/source/anchors/x.crt")
    bare.run("update-ca-trust")
    assert bare.run("cat", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem").stdout == "CA\n"
