"""Switches of the automatic rollback, frozen into the new stateroot while it is prepared (prep.md 7.3).

After the reboot the watchdog and the post-pivot program read them there: they must work without the API.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crds.imagebasedupgrade import Annotation, ImageBasedUpgrade

CONFIG_FILE = "var/lib/lca/autorollback_config.json"
"""Place below the stateroot's folder; `/<CONFIG_FILE>` once it is booted."""

DEFAULT_TIMEOUT_SECONDS = 1800
COMPONENTS = ("config", "postpivot")


@dataclass(frozen=True, slots=True)
class AutoRollbackConfig:
    """`monitor`: the watchdog rolls back unless the upgrade completes within `monitor_timeout_seconds`.

    `components`: which programs may roll back when they fail.
    """

    monitor: bool = True
    monitor_timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    components: frozenset[str] = frozenset(COMPONENTS)

    @classmethod
    def choose(cls, upgrade: ImageBasedUpgrade) -> AutoRollbackConfig:
        """Read the spec and the annotations of the upgrade; only the exact value `Disabled` switches anything off."""
        from crds.imagebasedupgrade import Annotation  # not for the programs that only read the file

        def is_enabled(annotation: Annotation) -> bool:
            return upgrade.metadata.annotations.get(annotation) != "Disabled"

        settings = upgrade.spec.auto_rollback_on_failure
        timeout = settings.init_monitor_timeout_seconds if settings else 0
        enabled = is_enabled(Annotation.NO_ROLLBACK_AFTER_CONFIGURATION_FAILURE)
        return cls(
            monitor=is_enabled(Annotation.NO_ROLLBACK_AFTER_TIMEOUT),
            monitor_timeout_seconds=timeout or DEFAULT_TIMEOUT_SECONDS,
            components=frozenset(COMPONENTS if enabled else ()),
        )

    def dump(self) -> str:
        """Return the file's content; a watchdog that is off is left out."""
        monitor = {"monitor_enabled": True} if self.monitor else {}
        components = {name: name in self.components for name in COMPONENTS}
        config = {**monitor, "monitor_timeout": self.monitor_timeout_seconds, "enabled_components": components}
        return json.dumps(config, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | bytes) -> AutoRollbackConfig:
        """Read the file's content; switches that are absent are off. Raises ValueError."""
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError(f"{CONFIG_FILE}: not a JSON object")
        components = data.get("enabled_components") or {}
        timeout = data.get("monitor_timeout", DEFAULT_TIMEOUT_SECONDS)
        if not (isinstance(components, dict) and type(timeout) is int):
            raise ValueError(f"{CONFIG_FILE}: enabled_components must be an object, monitor_timeout a whole number")
        allowed = frozenset(name for name, value in components.items() if value is True)
        return cls(data.get("monitor_enabled") is True, timeout, allowed)
