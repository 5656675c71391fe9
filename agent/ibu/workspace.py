"""What an upgrade in progress keeps on the host besides its custom resource."""

from __future__ import annotations

import logging

from pydantic import ValidationError

from agent.ibu.ports import WORKSPACE
from crds.imagebasedupgrade import ImageBasedUpgradeSpec
from hostops.files import make_directory, read_json, write_json
from hostops.hostroot import HostRoot

log = logging.getLogger(__name__)


class AcceptedSpec:
    """The spec that Prep began with (`agent.ibu.drift`); removed with the workspace when the upgrade ends."""

    def __init__(self, root: HostRoot) -> None:
        self._directory = root.path(WORKSPACE)
        self._path = self._directory / "accepted_spec.json"

    def write(self, spec: ImageBasedUpgradeSpec) -> None:
        """Remember `spec`. Raises OSError."""
        make_directory(self._directory, 0o700)
        write_json(self._path, spec.write())

    def read(self) -> ImageBasedUpgradeSpec | None:
        """Return the remembered spec; None when there is none, or when it can not be read (then nothing is guarded)."""
        try:
            return ImageBasedUpgradeSpec.read(read_json(self._path))
        except FileNotFoundError:
            return None
        except (ValueError, ValidationError) as error:
            log.warning("the spec remembered from Prep can not be used", extra={"reason": str(error)})
            return None
