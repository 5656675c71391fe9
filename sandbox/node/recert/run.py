"""One run of recert."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from hostops.files import write_atomically
from sandbox.controlplane.pki import Pki
from sandbox.faults import Faults
from sandbox.node.recert.config import ConfigError, RecertConfig, read_config
from sandbox.node.recert.etcd import EtcdStore
from sandbox.node.recert.rewrite import make_renamer, read_names, rewrite_objects
from sandbox.node.recert.signers import make_ssh_host_keys, renew_signers

PKI = Path("/kubernetes/static-pod-resources/sandbox-pki")
"""Where the control plane's keys are, as a path of the container."""

Locate = Callable[[Path], Path]
"""Turns a path of the container into one of the host."""


def run_recert(config_file: Path, locate: Locate, faults: Faults) -> int:
    """Do what the configuration asks for; return the exit code.

    The summary is written at the end of every run, successful or not; only a refused configuration leaves none.
    """
    try:
        config = read_config(locate(config_file))
    except ConfigError as error:
        sys.stderr.write(f"Error: parsing config: {error}\n")
        return 1
    problem = faults.active("postpivot-fails")
    if problem is not None:
        problem = problem or "injected by the fault postpivot-fails"
    else:
        try:
            _reconfigure(config, locate)
        except (OSError, KeyError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
    _write_summaries(config, locate, problem)
    if problem is not None:
        sys.stderr.write(f"Error: {problem}\n")
    return 0 if problem is None else 1


def _reconfigure(config: RecertConfig, locate: Locate) -> None:
    if config.etcd_endpoint is None or config.dry_run:
        return
    store = EtcdStore(config.etcd_endpoint)
    objects = store.read()
    old = read_names(objects)
    written, removed = rewrite_objects(objects, old, config)
    current = {key: value for key, value in {**objects, **written}.items() if key not in removed}
    keys = {name: locate(path).read_bytes() for name, path in config.key_files.items()}
    client_ca = "".join(locate(path).read_text() for path in config.use_cert_rules) or None
    written |= renew_signers(current, keys, config.renames, client_ca, Pki(locate(PKI)))
    for key, value in written.items():
        store.put(key, value)
    for key in removed - written.keys():
        store.delete(key)
    rename = make_renamer(old, config)
    for path in _text_files(map(locate, (*config.cluster_customization_dirs, *config.cluster_customization_files))):
        _rewrite_file(path, rename)
    if config.chrony_config:
        locate(Path("/host-etc/chrony.conf")).write_text(config.chrony_config)
    if config.regenerate_server_ssh_keys:
        make_ssh_host_keys(locate(config.regenerate_server_ssh_keys))


def _text_files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file() and not file.is_symlink() and file.suffix not in (".key", ".crt", ".pem"):
                yield file


def _rewrite_file(path: Path, rename: Callable[[str], str]) -> None:
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    if rename(text) != text:
        write_atomically(path, rename(text), path.stat().st_mode & 0o7777)


def _write_summaries(config: RecertConfig, locate: Locate, problem: str | None) -> None:
    secrets = ("pull_secret", "kubeadmin_password_hash", "install_config", "proxy", "user_ca_bundle")
    shown = config.model_dump(mode="json", exclude_defaults=True)
    shown = {key: "<redacted>" if key in secrets and value else value for key, value in shown.items()}
    summary = {"recert_config": shown, "error": problem} if problem else {"recert_config": shown}
    for path in (config.summary_file, config.summary_file_clean):
        if path is not None:
            write_atomically(locate(path), yaml.safe_dump(summary, sort_keys=False))
