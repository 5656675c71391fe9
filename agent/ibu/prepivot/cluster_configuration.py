"""Exports what turns the seed's cluster into this one: reconfiguration, mirrors, networks (upgrade-and-oadp.md 9)."""

from __future__ import annotations

from pathlib import Path

from agent.ibu.itineraries import StageContext
from agent.ibu.prepivot.cluster_objects import read_snapshot
from agent.ibu.prepivot.host_identity import read_host_identity
from agent.ibu.prepivot.mirrors import read_mirrors
from agent.ibu.prepivot.reconfiguration import compose_reconfiguration
from agent.ibu.prepivot.target import locate, repeated, write_manifest
from agent.workflow.outcome import Done, Outcome
from hostops.files import make_directory, write_atomically
from hostops.trees import copy_tree
from seeds.handover import CLUSTER_CONFIGURATION, CLUSTER_MANIFESTS, CONNECTIONS, RECONFIGURATION_FILE, replace_tree
from seeds.identity import IdentityError
from seeds.reconfiguration import SeedReconfiguration

HOST_CONNECTIONS = "/etc/NetworkManager/system-connections"


def export_cluster_configuration(context: StageContext) -> Outcome:
    """Write the cluster's identity, its mirrors and the node's network connections."""
    with repeated("error while fetching cluster configuration"):
        reconfiguration = _gather_reconfiguration(context)
        mirrors = read_mirrors(context.ports.client)

        def write(fresh: Path) -> None:
            write_atomically(fresh / Path(RECONFIGURATION_FILE).name, reconfiguration.dump())
            manifests = fresh / Path(CLUSTER_MANIFESTS).name
            make_directory(manifests, 0o700)
            for name, mirror in mirrors.items():
                write_manifest(manifests, name, mirror)

        replace_tree(locate(context, CLUSTER_CONFIGURATION), write)
        _export_connections(context)
    return Done()


def _gather_reconfiguration(context: StageContext) -> SeedReconfiguration:
    problems: list[str] = []
    snapshot = read_snapshot(context.ports.client, problems)
    host = read_host_identity(context.ports.root, problems)
    if problems:
        raise IdentityError("; ".join(problems))
    return compose_reconfiguration(snapshot, host)


def _export_connections(context: StageContext) -> None:
    source = context.ports.root.resolve(HOST_CONNECTIONS)
    target = locate(context, CONNECTIONS)

    def write(fresh: Path) -> None:
        if source.is_dir():
            copy_tree(source, fresh / target.name)

    replace_tree(target.parent, write)
