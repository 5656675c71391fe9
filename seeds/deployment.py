"""What a seed image says about the deployment it was taken from: commit, kernel arguments, removed files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hostops.ostree import KernelArguments
from seeds.format import SeedFormatError

FIPS_ARGUMENTS = ("fips=1", "boot=LABEL=boot")


@dataclass(frozen=True, slots=True)
class SeedDeployment:
    """The deployment `<commit>.<serial>` that the seed node was running."""

    name: str

    @property
    def commit(self) -> str:
        """Checksum of the commit to deploy."""
        return self.name.partition(".")[0]

    @property
    def origin_file(self) -> str:
        """Name of the origin file in the seed image."""
        return f"ostree-{self.name}.origin"


def read_booted_deployment(text: str | bytes) -> SeedDeployment:
    """Find the booted deployment in the seed's `rpm-ostree status --json` (prep.md 7 step 8).

    The id is `<prefix>-<commit>.<serial>`, where the prefix may hold dashes. Raises SeedFormatError.
    """
    deployments = _read_object(text, "rpm-ostree.json").get("deployments")
    for entry in deployments if isinstance(deployments, list) else []:
        if isinstance(entry, dict) and entry.get("booted") is True:
            identifier = str(entry.get("id", ""))
            _, dash, name = identifier.rpartition("-")
            if not dash:
                raise SeedFormatError(
                    f"failed to get deployment from deploymentID, there should be a '-' in deploymentID {identifier}"
                )
            return SeedDeployment(name)
    raise SeedFormatError("failed to get booted stateroot id: failed finding booted stateroot")


def read_kernel_arguments(text: str | bytes, version: str) -> KernelArguments:
    """Return the kernel arguments of the new deployment from the seed's current MachineConfig (prep.md 7 step 12).

    `version` becomes the argument `ibu=<version>`; empty means none. Raises SeedFormatError.
    """
    spec = _read_object(text, "mco-currentconfig.json").get("spec") or {}
    arguments = (spec.get("kernelArguments") or []) if isinstance(spec, dict) else None
    if not (isinstance(arguments, list) and all(isinstance(item, str) for item in arguments)):
        raise SeedFormatError("mco-currentconfig.json: spec.kernelArguments must be a list of strings")
    fips = FIPS_ARGUMENTS if spec.get("fips") is True else ()
    return KernelArguments((*arguments, *fips), (f"ibu={version}",) if version else ())


def read_deletions(text: str) -> list[PurePosixPath]:
    """Return the paths below `/etc` to remove, relative to the deployment; blank lines are skipped.

    Raises SeedFormatError that lists every path outside of `/etc`.
    """
    paths = [PurePosixPath(line.strip()) for line in text.splitlines() if line.strip()]
    bad = [str(path) for path in paths if path.parts[:2] != ("/", "etc") or ".." in path.parts or len(path.parts) < 3]
    if bad:
        raise SeedFormatError(f"etc.deletions: not below /etc: {_enumerate(bad)}")
    return [path.relative_to("/") for path in paths]


def read_image_list(text: str) -> list[str]:
    """Return the image references of `containers.list` in order, without blanks and repetitions."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _read_object(text: str | bytes, name: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SeedFormatError(f"{name}: not valid JSON: {error}") from None
    if not isinstance(data, dict):
        raise SeedFormatError(f"{name}: not a JSON object")
    return data


def _enumerate(items: Iterable[str], limit: int = 5) -> str:
    listed = list(items)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
