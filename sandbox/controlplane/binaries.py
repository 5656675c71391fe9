"""Where the programs of a control plane come from.

Order: the folder named by KUBEBUILDER_ASSETS (the convention of Kubernetes' own test environments), else the newest
complete folder of the project's cache, `$XDG_CACHE_HOME/lca-envtest/<version>/`. etcd and kubectl may come from PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sandbox.controlplane.errors import ControlPlaneError

ASSETS = "KUBEBUILDER_ASSETS"
_REPLACE = "remove the file and run `make setup`, or correct KUBEBUILDER_ASSETS"
_ADVICE = "run `make setup`, which builds what is missing"


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one control plane; `controller_manager` and `kubectl` are absent in some folders."""

    etcd: Path
    api_server: Path
    controller_manager: Path | None
    kubectl: Path | None


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder whose subfolders hold one version of the programs each."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "lca-envtest"


def find_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """Find the programs; raises ControlPlaneError that names what is missing and says what to run."""
    if assets := environment.get(ASSETS):
        folder = Path(assets)
        if not _is_program(folder / "kube-apiserver"):
            raise ControlPlaneError(f"{ASSETS}={assets} holds no program kube-apiserver; correct or unset the variable")
    else:
        folder = _newest_complete(cache_folder(environment))
    path = environment.get("PATH")
    etcd = _program(folder, "etcd", path)
    if etcd is None:
        raise ControlPlaneError(f"etcd is neither in {folder} nor in PATH; {_ADVICE}")
    return Binaries(
        etcd=etcd,
        api_server=folder / "kube-apiserver",
        controller_manager=_program(folder, "kube-controller-manager", ""),
        kubectl=_program(folder, "kubectl", path),
    )


def _newest_complete(cache: Path) -> Path:
    complete = [folder for folder in cache.glob("*/") if not folder.name.startswith(".") and _is_complete(folder)]
    if not complete:
        raise ControlPlaneError(f"no kube-apiserver and kube-controller-manager in {cache}/<version>/; {_ADVICE}")
    return max(complete, key=lambda folder: ([int(number) for number in re.findall(r"\d+", folder.name)], folder.name))


def _is_complete(folder: Path) -> bool:
    return _is_program(folder / "kube-apiserver") and _is_program(folder / "kube-controller-manager")


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _program(folder: Path, name: str, path: str | None) -> Path | None:
    if _is_program(folder / name):
        return folder / name
    found = shutil.which(name, path=path) if path != "" else None
    return Path(found) if found else None


@lru_cache
def knows_flag(program: Path, flag: str) -> bool:
    """Whether a Kubernetes program has the flag (given without dashes); flags come and go between versions."""
    return f"--{flag} " in _help(program)


def knows_gate(program: Path, gate: str) -> bool:
    """Whether a feature gate of a Kubernetes program can still be switched."""
    return f"{gate}=true|false" in _help(program)


@lru_cache
def _help(program: Path) -> str:
    try:
        done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=30, check=True)
    except subprocess.CalledProcessError as error:
        raise ControlPlaneError(f"{program} --help ends with exit code {error.returncode}; {_REPLACE}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ControlPlaneError(f"{program} can not be run ({error}); {_REPLACE}") from error
    return done.stdout
