"""systemd units, through systemctl."""

from __future__ import annotations

from hostops.runner import CommandError, Runner

CONTAINER_STORAGE_UNIT = "var-lib-containers.mount"

_NOT_ACTIVE = (3, 4)
"""Exit codes of `systemctl is-active` for units that do not run, or are not there."""


class UnitError(Exception):
    """A unit file does not hold what is looked for."""


def parse_unit_setting(unit_text: str, name: str) -> str | None:
    """Return the value of the first line `<name>=<value>` of a unit file; names are compared as they stand."""
    for line in unit_text.splitlines():
        key, found, value = line.partition("=")
        if found and key == name:
            return value
    return None


class Systemd:
    """The systemctl commands of the upgrade. All raise CommandError."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def is_active(self, unit: str) -> bool:
        """Say whether the unit runs; a failing systemctl counts as no."""
        return self._succeeds("is-active", unit)

    def active_state(self, unit: str) -> str:
        """Return `active`, `activating`, `deactivating`, `failed`, or `inactive`, also for a unit that does not exist.

        Raises CommandError when systemd can not be asked.
        """
        answer = self._runner.run("systemctl", "is-active", unit, ok=(0, *_NOT_ACTIVE), stdout_only=True)
        return answer.output.splitlines()[0] if answer.output else "inactive"

    def is_enabled(self, unit: str) -> bool:
        """Say whether the unit is enabled; a failing systemctl counts as no."""
        return self._succeeds("is-enabled", unit)

    def _succeeds(self, verb: str, unit: str) -> bool:
        try:
            self._runner.run("systemctl", verb, unit)
        except CommandError:
            return False
        return True

    def read_unit(self, unit: str) -> str:
        """Return the text of the unit file and its drop-ins."""
        return self._runner.run("systemctl", "cat", unit, stdout_only=True).output

    def start(self, unit: str) -> None:
        """Start a unit and wait until it runs."""
        self._runner.run("systemctl", "start", unit)

    def stop(self, unit: str) -> None:
        """Stop a unit and wait until it has stopped."""
        self._runner.run("systemctl", "stop", unit)

    def restart(self, unit: str) -> None:
        """Restart a unit."""
        self._runner.run("systemctl", "restart", unit)

    def enable(self, unit: str, *, now: bool = False) -> None:
        """Enable a unit; `now` also starts it."""
        self._runner.run("systemctl", "enable", unit, *(("--now",) if now else ()))

    def disable(self, unit: str, *, now: bool = False) -> None:
        """Disable a unit; `now` also stops it."""
        self._runner.run("systemctl", "disable", unit, *(("--now",) if now else ()))

    def reload(self) -> None:
        """Make systemd read its unit files again."""
        self._runner.run("systemctl", "daemon-reload")

    def container_storage_target(self) -> str | None:
        """Return the device mounted at `/var/lib/containers`, or None when it is no mount of its own (prep.md 2.1).

        Raises CommandError, and UnitError when the unit names no device.
        """
        if not self.is_active(CONTAINER_STORAGE_UNIT):
            return None
        target = parse_unit_setting(self.read_unit(CONTAINER_STORAGE_UNIT), "What")
        if target is None:
            raise UnitError(f"failed to find mountpoint target in {CONTAINER_STORAGE_UNIT}")
        return target
