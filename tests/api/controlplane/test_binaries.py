"""Where programs are found, in which order, and what is said when they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.controlplane import ControlPlaneError, find_binaries


def make_folder(folder: Path, *programs: str) -> Path:
    folder.mkdir(parents=True)
    for program in programs:
        (folder / program).touch(mode=0o755)
    return folder


SERVERS = ("kube-apiserver", "kube-controller-manager")


def test_assets_folder_wins_over_the_cache(tmp_path: Path) -> None:
    make_folder(tmp_path / "lca-envtest/v1.30.0", *SERVERS, "etcd")
    assets = make_folder(tmp_path / "assets", "kube-apiserver", "etcd")
    found = find_binaries({"KUBEBUILDER_ASSETS": str(assets), "XDG_CACHE_HOME": str(tmp_path), "PATH": ""})
    assert (found.api_server, found.etcd) == (assets / "kube-apiserver", assets / "etcd")
    assert found.controller_manager is None


def test_newest_complete_folder_of_the_cache_wins(tmp_path: Path) -> None:
    cache = tmp_path / ".cache/lca-envtest"
    make_folder(cache / "v1.9.9", *SERVERS, "etcd")
    newest = make_folder(cache / "v1.20.2", *SERVERS, "etcd")
    make_folder(cache / "v1.36.0", "kube-apiserver", "etcd")
    make_folder(cache / ".build", *SERVERS, "etcd")
    assert find_binaries({"HOME": str(tmp_path), "PATH": ""}).api_server.parent == newest


def test_etcd_and_kubectl_may_come_from_path(tmp_path: Path) -> None:
    make_folder(tmp_path / "lca-envtest/v1.20.2", *SERVERS)
    path = make_folder(tmp_path / "bin", "etcd", "kubectl")
    found = find_binaries({"XDG_CACHE_HOME": str(tmp_path), "PATH": str(path)})
    assert (found.etcd, found.kubectl) == (path / "etcd", path / "kubectl")


def test_empty_cache_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ControlPlaneError, match=rf"kube-apiserver .* in {tmp_path}.*make setup"):
        find_binaries({"XDG_CACHE_HOME": str(tmp_path), "PATH": ""})


def test_missing_etcd_says_what_to_run(tmp_path: Path) -> None:
    make_folder(tmp_path / "lca-envtest/v1.20.2", *SERVERS)
    with pytest.raises(ControlPlaneError, match="etcd is neither in .* nor in PATH; run `make setup`"):
        find_binaries({"XDG_CACHE_HOME": str(tmp_path), "PATH": ""})


def test_wrong_assets_folder_is_named_not_passed_over(tmp_path: Path) -> None:
    make_folder(tmp_path / "lca-envtest/v1.20.2", *SERVERS, "etcd")
    with pytest.raises(ControlPlaneError, match="KUBEBUILDER_ASSETS=/nowhere holds no program kube-apiserver"):
        find_binaries({"KUBEBUILDER_ASSETS": "/nowhere", "XDG_CACHE_HOME": str(tmp_path), "PATH": ""})
