"""What the watchdog does, decided from its configuration (post-pivot-and-rollback.md 11). Pure functions and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agent.node.durations import format_duration
from seeds.autorollback import AutoRollbackConfig

MODE_FILE = "/var/lib/lca/workspace/initmonitor_mode"
IP_MODES = ("ipconfig", "ipc")
MODES = ("ibu", *IP_MODES)

ATTEMPT_PAUSES_SECONDS = (10.0, 30.0, 90.0, 180.0)
"""Pauses between attempts to roll back in order; one attempt more than pauses."""

ATTEMPT_SECONDS = 300.0
"""An attempt that takes longer hangs, and so would the next."""

COMMAND_SECONDS = 120.0
"""No host command of the watchdog takes that long when it works."""

Words: TypeAlias = tuple[str, ...]

FORCED_REBOOTS: tuple[tuple[float, Words], ...] = (
    (600.0, ("systemctl", "reboot", "--force")),
    (120.0, ("systemctl", "reboot", "--force", "--force")),
)
"""How long the reboot asked for before is waited for, and what is tried then."""

LAST_REBOOT_SECONDS = 60.0
"""How long a forced reboot is waited for before the kernel itself is asked."""


@dataclass(frozen=True, slots=True)
class Off:
    """There is nothing to watch; `reason` is empty when nobody need know."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """Roll back after so many seconds."""

    seconds: int

    @property
    def announcement(self) -> str:
        """What the log says at the start."""
        return (
            "Launching LCA Init Monitor timeout. Automatic rollback will occur in "
            f"{format_duration(self.seconds)} if upgrade is not completed successfully within that time"
        )

    @property
    def message(self) -> str:
        """Why the upgrade failed, for its resource."""
        return f"Rollback due to LCA Init Monitor timeout, after {format_duration(self.seconds)}"


def plan_watch(config: AutoRollbackConfig | None) -> Off | Watch:
    """Decide what a watchdog with this configuration does; None is the configuration of a node without one."""
    if config is None:
        return Off()
    if not config.monitor:
        return Off("LCA Init Monitor automatic rollback is disabled in IBU configuration")
    if config.monitor_timeout_seconds <= 0:
        return Off(f"LCA Init Monitor is off: its timeout is {config.monitor_timeout_seconds} s")
    return Watch(config.monitor_timeout_seconds)


def plan_after_stop(config: AutoRollbackConfig | None, component: str, service_result: str) -> str | None:
    """Decide after the end of a component's unit: the message to roll back with, or None.

    `service_result` is systemd's `SERVICE_RESULT`, empty when it is not set.
    """
    if config is None or component not in config.components or service_result in ("", "success"):
        return None
    return f"Rollback due to service-unit failure: component {component}"
