"""The watchdog of the new release, `lca-init-monitor.service`: is it armed, and how it is called off.

It runs on the host and rolls back an upgrade that does not complete in time (post-pivot-and-rollback.md 11.4).
"""

from __future__ import annotations

from datetime import timedelta

from hostops import files
from hostops.hostroot import HostRoot
from hostops.runner import Runner
from hostops.systemd import Systemd
from seeds.autorollback import CONFIG_FILE, AutoRollbackConfig

UNIT = "lca-init-monitor.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"


def call_off(runner: Runner, root: HostRoot) -> None:
    """Stop the watchdog for good: its unit is stopped, disabled and removed. Raises CommandError and OSError."""
    systemd = Systemd(runner)
    if systemd.is_active(UNIT):
        systemd.stop(UNIT)
    if systemd.is_enabled(UNIT):
        systemd.disable(UNIT)
    files.remove_durably(root.path(UNIT_FILE))
    systemd.reload()


def read_timeout(root: HostRoot) -> timedelta | None:
    """Return after how long the watchdog of the booted release rolls back; None when it never does. Raises OSError."""
    try:
        config = AutoRollbackConfig.parse(root.path(f"/{CONFIG_FILE}").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    seconds = config.monitor_timeout_seconds
    return timedelta(seconds=seconds) if config.monitor and seconds > 0 else None
