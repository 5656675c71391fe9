"""The itinerary that turns the booted seed into the site's node and cluster (post-pivot-and-rollback.md 5).

It may be killed anywhere and is started again by systemd: a step finds its effect in place, or brings it about again.
Steps with a marker in `/opt/openshift` run once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from agent.kube import errors
from agent.node.command_errors import describe_command_error
from agent.node.postpivot import (
    api,
    cluster,
    config_volume,
    credentials,
    finish,
    identity,
    inputs,
    manifests,
    mirrors,
    network,
    oadp,
)
from agent.node.postpivot.addresses import AddressError
from agent.node.postpivot.proxy import ProxyError
from agent.node.postpivot.run import PostPivot, StepError
from agent.velero.protection import ProtectionError
from agent.workflow.outcome import Done, Failed, Outcome
from agent.workflow.step import Itinerary, Step, Traits, always
from hostops import files
from hostops.runner import CommandError
from seeds.handover import CONFIGURATION, SEED_DATA

logger = logging.getLogger(__name__)

CONFIGURED = "configured"
"""Trait of a run that only has to tidy up."""

_EXPECTED = (StepError, CommandError, OSError, AddressError, ProxyError, errors.ApiError, ProtectionError)


def is_unconfigured(traits: Traits) -> bool:
    """The gate of steps whose input is gone when an earlier run has come to the tidying."""
    return CONFIGURED not in traits


def observe(run: PostPivot) -> Traits:
    """Look how far earlier runs have come."""
    return frozenset({CONFIGURED}) if finish.is_configured(run) else frozenset()


def _step(action: Callable[[PostPivot], None], prefix: str = "", *, tidies: bool = False) -> Step[PostPivot]:
    """Make a step that fails with `prefix` and the reason; it is named after `action`."""

    def perform(run: PostPivot) -> Outcome:
        try:
            action(run)
        except _EXPECTED as error:
            return Failed(f"{prefix}{describe_error(error)}")
        return Done()

    return Step(action.__name__, perform, applies=always if tidies else is_unconfigured)


def _once(action: Callable[[PostPivot], None], name: str, prefix: str = "") -> Step[PostPivot]:
    """Make a step that runs until it has succeeded once, which `/opt/openshift/<name>.done` tells."""

    def perform(run: PostPivot) -> None:
        with files.once(run.root.path(CONFIGURATION), name) as todo:
            if todo:
                action(run)
            else:
                logger.info("%s/%s.done already exists, skipping", CONFIGURATION, name)

    perform.__name__ = action.__name__
    return _step(perform, prefix or f"failed to run once {name} for post pivot: ")


def describe_error(error: Exception) -> str:
    """Return an expected error in the words of the original."""
    return describe_command_error(error) if isinstance(error, CommandError) else str(error)


_NETWORK = "failed to configure networking, err: "

CONFIGURE_NODE: Itinerary[PostPivot] = Itinerary(
    "post pivot",
    (
        _step(config_volume.wait_for_configuration, "failed to wait for configuration: "),
        _step(
            inputs.read_seed_info,
            "failed to get seed info from , err: failed to create seed cluster info from file ",
        ),
        _step(inputs.read_site, "failed to get cluster info from , err: "),
        _once(credentials.set_ssh_key, "setSSHKey"),
        _once(credentials.write_pull_secret, "pull-secret"),
        _step(network.copy_connections, _NETWORK),
        _once(network.apply_static_network, "apply-static-network", f"{_NETWORK}failed to apply static network: "),
        _step(network.restart_network_manager, f"{_NETWORK}failed to restart network manager service, err "),
        _step(network.set_hostname, _NETWORK),
        _step(network.write_node_ip_hint, _NETWORK),
        _step(network.find_node_addresses, _NETWORK),
        _step(
            network.write_dnsmasq_overrides,
            f"{_NETWORK}failed to configure dnsmasq and forcedns dispatcher script, err ",
        ),
        _step(network.restart_dnsmasq, f"{_NETWORK}failed to restart dnsmasq service, err "),
        _step(inputs.check_node_addresses, "validation failed: "),
        _step(inputs.check_version),
        _step(inputs.set_no_proxy, "failed to set no proxy: "),
        _step(identity.trust_user_authorities, "failed copy cluster config files: "),
        _step(identity.reconfigure_cluster, "failed to run once recert for post pivot: "),
        _step(identity.restart_chrony, "failed to restart chronyd service: failed to restart chronyd: "),
        _step(credentials.apply_server_ssh_keys, "failed to apply server ssh keys: "),
        _step(api.check_kubeconfig),
        _step(cluster.start_kubelet, "failed to enable kubelet: "),
        _step(api.wait_for_api, "failed to wait for the API server: "),
        _step(mirrors.delete_old_mirrors, "failed to all old mirror resources: "),
        _step(manifests.apply_cluster_manifests, "failed apply manifests: "),
        _step(manifests.apply_installer_manifests, "failed apply extra manifests: "),
        _step(mirrors.change_release_registry, "failed change registry in CSV deployment: "),
        _step(oadp.restore_secrets),
        _step(oadp.restore_application),
        _once(cluster.set_cluster_id, "set_cluster_id"),
        # The name of another step in this text is part of it.
        _once(cluster.set_node_labels, "set_node_labels", "failed to run once set_cluster_id for post pivot: "),
        _once(finish.recover_lvm_devices, "recover_lvm_devices"),
        _step(finish.mark_configured),
        _step(
            finish.remove_handed_over,
            f"failed to cleanup in postpivot [{CONFIGURATION} {SEED_DATA}]: ",
            tidies=True,
        ),
        _step(finish.forget_configured, tidies=True),
        _step(finish.disable_unit, f"failed to disable {finish.UNIT}, err: ", tidies=True),
    ),
    observe,
)
