"""What may send the node back by itself, as it was frozen into this stateroot before the pivot."""

from __future__ import annotations

import logging

from hostops.hostroot import HostRoot
from seeds.autorollback import CONFIG_FILE, AutoRollbackConfig

logger = logging.getLogger(__name__)


class AutoRollbackConfigError(Exception):
    """The file can not be read; the text says why."""


def read_auto_rollback(root: HostRoot) -> AutoRollbackConfig | None:
    """Return the configuration, None when there is none, and hence no rollback. Raises AutoRollbackConfigError."""
    path = f"/{CONFIG_FILE}"
    try:
        return AutoRollbackConfig.parse(root.path(path).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AutoRollbackConfigError(f"{path} can not be used: {error}") from error
