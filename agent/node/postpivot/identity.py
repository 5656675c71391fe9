"""The site's identity for the stopped cluster: trusted authorities, recert, time."""

from __future__ import annotations

import logging

from agent.node.command_errors import describe_command_error
from agent.node.postpivot.run import AUTH_FILE, PostPivot, StepError
from agent.node.recert.etcd import stop_etcd
from agent.node.recert.flow import RecertError, RecertRun, await_leftover, run_recert
from agent.node.recert.summary import FailedBefore, NotRun, Succeeded, judge_summary
from hostops import files
from hostops.runner import CommandError
from seeds.handover import CERT_MANAGER_CRYPTO, CONFIGURATION, KUBECONFIG_CRYPTO, RECERT_CONFIG

logger = logging.getLogger(__name__)

TRUST_ANCHOR = "/etc/pki/ca-trust/source/anchors/openshift-config-user-ca-bundle.crt"
FAILURE_MARK = f"{CONFIGURATION}/recert.failed"
"""Exists when recert of this node has ended with an error."""


def trust_user_authorities(run: PostPivot) -> None:
    """Let the programs of the node trust the user's authorities before the cluster can tell them."""
    if bundle := run.site.additional_trust.user_ca_bundle:
        anchor = run.root.path(TRUST_ANCHOR)
        files.make_directory(anchor.parent)
        files.write_atomically(anchor, bundle, 0o600)
    try:
        run.runner.run("bash", "-c", "update-ca-trust")
    except CommandError as error:
        text = describe_command_error(error)
        raise StepError(f"failed to run update-ca-trust after early certificate trust: {text}") from error


def reconfigure_cluster(run: PostPivot) -> None:
    """Let recert rewrite the stopped cluster, once; what an earlier, killed run of this program began is taken up.

    Whatever happens no etcd but the cluster's own may be left: it could not start beside another one.
    """
    with files.once(run.root.path(CONFIGURATION), "recert") as todo:
        if todo:
            await_leftover(run.runner)
            if not _has_succeeded(run):
                _run_recert(run)
        else:
            logger.info("%s/recert.done already exists, skipping", CONFIGURATION)
            stop_etcd(run.runner)
    if todo:
        run.runner.run("bash", "-c", "update-ca-trust")


def _has_succeeded(run: PostPivot) -> bool:
    from seeds.recert import SUMMARY_FILE

    path = run.root.path(SUMMARY_FILE)
    began = run.root.path(RECERT_CONFIG).exists() and not run.root.path(FAILURE_MARK).exists()
    match judge_summary(path.read_bytes() if path.exists() else None, ours=began):
        case NotRun():
            return False
        case Succeeded():
            logger.info("recert has done its work in an earlier run of this program")
            stop_etcd(run.runner)
            return True
        case FailedBefore(reason):
            text = (
                f"found {SUMMARY_FILE} file, returning error, it means recert previously failed. "
                "In case you still want to rerun it please remove the file"
            )
            raise StepError(f"{text}: {reason}" if reason else text)


def _run_recert(run: PostPivot) -> None:
    files.remove_durably(run.root.path(FAILURE_MARK))
    _write_config(run)
    image = run.seed.recert_image
    recert = RecertRun(RECERT_CONFIG, image, AUTH_FILE, (CONFIGURATION,), _make_proxy_environment(run))
    try:
        run_recert(run.runner, run.root, recert, run.clock)
    except RecertError as error:
        files.write_atomically(run.root.path(FAILURE_MARK), b"")
        raise StepError(f"failed recert full flow: {error}") from error


def _write_config(run: PostPivot) -> None:
    from seeds.recert import (
        KeptKeys,
        RecertConfigError,
        build_site_config,
        list_kubeconfig_files,
        make_certificate_rules,
    )

    crypto = run.root.path(KUBECONFIG_CRYPTO)
    files.make_directory(crypto, 0o700)
    for name, content in list_kubeconfig_files(run.site.kubeconfig_crypto).items():
        files.write_atomically(crypto / name, content, 0o600)
    certificates = run.root.path(CERT_MANAGER_CRYPTO)
    names = [path.name for path in certificates.iterdir()] if certificates.is_dir() else []
    rules, unusable = make_certificate_rules(CERT_MANAGER_CRYPTO, names)
    for name in unusable:
        logger.warning(
            "recert can not keep the key in %s/%s: its name holds a blank or a colon", CERT_MANAGER_CRYPTO, name
        )
    logger.info("Create recert configuration file")
    kept = KeptKeys(KUBECONFIG_CRYPTO, tuple(path.name for path in crypto.iterdir()), tuple(rules))
    try:
        config = build_site_config(run.site, run.seed, run.hostname, kept)
    except RecertConfigError as error:
        raise StepError(f"failed to create recert config file: {error}") from error
    files.write_json(run.root.path(RECERT_CONFIG), config)


def _make_proxy_environment(run: PostPivot) -> dict[str, str]:
    proxy = run.site.proxy
    if proxy is None:
        return {}
    values = {"HTTP_PROXY": proxy.http, "HTTPS_PROXY": proxy.https, "NO_PROXY": proxy.no_proxy}
    return {name: value for name, value in values.items() if value}


def restart_chrony(run: PostPivot) -> None:
    """Let chronyd read the configuration that recert has written."""
    if run.site.chrony_config:
        run.systemd.restart("chronyd")
