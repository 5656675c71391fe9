from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.node.containers import parse_run

RECERT = (
    "--rm --network=host --privileged --replace --name recert -v /etc:/host-etc -v /etc/kubernetes:/kubernetes "
    "-e RECERT_CONFIG=/opt/openshift/recert_config.json --authfile /var/lib/kubelet/config.json quay.io/recert:v0"
)


def test_run_of_recert_is_understood() -> None:
    request = parse_run(RECERT.split())
    assert (request.name, request.image, request.command) == ("recert", "quay.io/recert:v0", [])
    assert request.environment == {"RECERT_CONFIG": "/opt/openshift/recert_config.json"}
    assert {"rm", "privileged", "replace"} <= request.flags


def test_paths_of_the_container_are_found_on_the_host() -> None:
    request = parse_run(RECERT.split())
    assert request.locate(Path("/kubernetes/a/b")) == Path("/etc/kubernetes/a/b")
    assert request.locate(Path("/opt/openshift/x")) == Path("/opt/openshift/x")


def test_entrypoint_comes_before_the_arguments() -> None:
    request = parse_run(["--entrypoint", "etcd", "-v", "/var/lib/etcd:/store:Z", "image", "--data-dir", "/store"])
    assert request.command == ["etcd", "--data-dir", "/store"]


@pytest.mark.parametrize("words", [[], ["--name"], ["--rm"]])
def test_run_without_an_image_is_an_error(words: list[str]) -> None:
    with pytest.raises(ValueError, match="needed|needs"):
        parse_run(words)
