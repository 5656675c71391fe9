"""Does a seed image fit the current cluster? The comparisons of Prep, from wherever the cluster's API is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.ibu.prep.version import check_seed_version
from agent.kube import Client
from hostops.hostroot import HostRoot
from hostops.skopeo import RemoteImage
from seeds.cluster import CLUSTER_VERSION, ClusterFactsError, collect_cluster_facts
from seeds.compat import ClusterFacts, Problem, Severity, check_labels
from seeds.cpu import read_cpu_topology
from seeds.format import SeedClusterInfo, SeedFormatError
from seeds.storage_target import find_configured_storage_target
from seeds.summary import read_info

_ON_NODE = Path("/etc/machine-config-daemon/currentconfig")


class CheckError(Exception):
    """The comparison can not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What differs. `not_compared`: what can be seen on the node only."""

    problems: tuple[Problem, ...]
    not_compared: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether Prep would go on."""
        return not any(problem.severity is Severity.ERROR for problem in self.problems)

    def describe(self) -> Iterator[str]:
        """Return a line for each finding."""
        for problem in self.problems:
            yield f"{problem.severity}: {problem.text}"
        for what in self.not_compared:
            yield f"not compared: {what}"

    def to_object(self) -> dict[str, Any]:
        """Return it as JSON."""
        problems = [{"severity": str(problem.severity), "message": problem.text} for problem in self.problems]
        return {"fits": self.fits, "problems": problems, "notCompared": list(self.not_compared)}


def check_image(client: Client, image: RemoteImage) -> Verdict:
    """Compare the image's labels with the cluster. Raises CheckError, ApiError."""
    try:
        info = read_info(image.labels) or SeedClusterInfo()
        facts, not_compared = _collect(client, info)
        problems = check_labels(image.labels, facts, info.version)
    except (ClusterFactsError, SeedFormatError) as error:
        raise CheckError(str(error)) from error
    return Verdict((*_check_release(client, info), *problems), tuple(not_compared))


def _collect(client: Client, info: SeedClusterInfo) -> tuple[ClusterFacts, list[str]]:
    target = find_configured_storage_target(client)
    # What is not known counts as equal.
    facts = collect_cluster_facts(client, info.container_storage_target if target is None else target)
    not_compared = ["container storage, free space"] if target is None else ["free space"]
    if not _ON_NODE.exists():
        return facts, [*not_compared, "processors"]
    return replace(facts, cpu_topology=read_cpu_topology(HostRoot(Path("/")))), not_compared


def _check_release(client: Client, info: SeedClusterInfo) -> Iterator[Problem]:
    if not info.version:
        return
    version = client.find(CLUSTER_VERSION, "version") or {}
    current = ((version.get("status") or {}).get("desired") or {}).get("version", "")
    if reason := check_seed_version(info.version, str(current)):
        yield Problem(Severity.ERROR, reason)
