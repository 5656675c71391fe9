"""A container registry: Docker's own, with its images in a folder and, once there are users, a password."""

from __future__ import annotations

import secrets
from pathlib import Path

import bcrypt
import yaml

from hostops.files import write_atomically
from sandbox.outside.child import Child

BCRYPT_ROUNDS = 5
"""The registry checks the password on every request; more rounds only make the sandbox slow."""


class Registry:
    """Registry on `host:port` that keeps images, users and its configuration in `directory`.

    It speaks plain HTTP (an "insecure" registry for its clients) and lets everybody in until `add_user` is called.
    """

    def __init__(self, directory: Path, port: int, *, log_file: Path, host: str = "127.0.0.1") -> None:
        self.address = f"{host}:{port}"
        self._directory = directory
        self._passwords = directory / "htpasswd"
        self._config = directory / "config.yml"
        self._child = Child(
            "the container registry",
            ("docker-registry", "serve", str(self._config)),
            address=(host, port),
            ready_text="listening on",
            log_file=log_file,
        )

    @property
    def pid(self) -> int | None:
        """Process id, None when it is not running."""
        return self._child.pid

    def start(self) -> None:
        """Start it unless it runs and return once it serves. Raises ServiceError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if self.pid is None:
            write_atomically(self._config, yaml.safe_dump(self._configuration()).encode(), mode=0o600)
        self._child.start()

    def stop(self) -> None:
        """Stop it; clients are refused until `start`, and then find every image again."""
        self._child.stop()

    def add_user(self, name: str, password: str) -> None:
        """From now on a password is needed, and this is one; a known user gets the new password.

        A running registry is restarted when this is the first user.
        """
        users = self._read_users()
        first = not users
        users[name] = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
        lines = "".join(f"{user}:{digest}\n" for user, digest in users.items())
        self._directory.mkdir(parents=True, exist_ok=True)
        write_atomically(self._passwords, lines.encode(), mode=0o600)
        if first and self.pid is not None:
            self.stop()
            self.start()

    def _read_users(self) -> dict[str, str]:
        if not self._passwords.exists():
            return {}
        return dict(line.split(":", 1) for line in self._passwords.read_text().splitlines())

    def _configuration(self) -> dict[str, object]:
        storage = {"filesystem": {"rootdirectory": str(self._directory / "images")}, "delete": {"enabled": True}}
        configuration: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": storage,
            "http": {"addr": self.address, "secret": secrets.token_hex(16)},
        }
        if self._passwords.exists():
            configuration["auth"] = {"htpasswd": {"realm": "sandbox", "path": str(self._passwords)}}
        return configuration
