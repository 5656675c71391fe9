"""What the node is to become: read, and checked against the seed."""

from __future__ import annotations

from agent.node.postpivot.addresses import check_addresses
from agent.node.postpivot.proxy import complete_proxy
from agent.node.postpivot.run import PostPivot, StepError
from seeds.format import SeedClusterInfo, SeedFormatError
from seeds.handover import RECONFIGURATION_FILE, SEED_INFO_FILE


def read_seed_info(run: PostPivot) -> None:
    """Read what cluster the seed image was taken from."""
    try:
        run.seed = SeedClusterInfo.parse(run.root.path(SEED_INFO_FILE).read_bytes())
    except SeedFormatError as error:
        raise StepError(f"{SEED_INFO_FILE}: {error}") from error


def read_site(run: PostPivot) -> None:
    """Read what cluster this node is to be."""
    from seeds.reconfiguration import ReconfigurationError, SeedReconfiguration  # slow, and the wait before may be long

    try:
        run.site = SeedReconfiguration.parse(run.root.path(RECONFIGURATION_FILE).read_bytes())
    except ReconfigurationError as error:
        raise StepError(f"{RECONFIGURATION_FILE}: {error}") from error


def check_node_addresses(run: PostPivot) -> None:
    """Check that addresses and networks of seed and site are alike."""
    seed, site = run.seed, run.site
    check_addresses(seed.addresses, seed.machine_networks, site.node_ips, site.machine_networks)


def check_version(run: PostPivot) -> None:
    """Check that the configuration has a version that is understood here."""
    from seeds.reconfiguration import API_VERSION

    if run.site.api_version != API_VERSION:
        raise StepError(f"unsupported seed reconfiguration version {run.site.api_version}")


def set_no_proxy(run: PostPivot) -> None:
    """Complete the exceptions of the proxy."""
    run.site = complete_proxy(run.site, run.seed)
