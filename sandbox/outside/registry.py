"""A container registry: Docker's own, with its images in a folder and, once there are users, a password."""

from __future__ import annotations

import secrets
from pathlib import Path

import bcrypt
import yaml

from hostops.files import write_atomically
from sandbox.outside.service import Service

_BCRYPT_ROUNDS = 5
"""The registry checks the password on every request; more rounds only make the sandbox slow."""


class Registry(Service):
    """Registry on a loopback port that keeps images, users and its configuration in `directory`.

    It speaks plain HTTP (an "insecure" registry for its clients) and lets everybody in until `add_user` is called.
    """

    def __init__(self, directory: Path, port: int, *, log_file: Path) -> None:
        self._directory = directory
        self._passwords = directory / "htpasswd"
        self._config = directory / "config.yml"
        argv = ("docker-registry", "serve", str(self._config))
        super().__init__("the container registry", argv, port=port, log_file=log_file)

    def add_user(self, name: str, password: str) -> None:
        """From now on a password is needed, and this is one; a known user gets the new password.

        A running registry is restarted when this is the first user.
        """
        users = self._read_users()
        first = not users
        users[name] = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS)).decode()
        self._directory.mkdir(parents=True, exist_ok=True)
        write_atomically(self._passwords, "".join(f"{user}:{digest}\n" for user, digest in users.items()))
        if first and self.pid is not None:
            self.stop()
            self.start()

    def write_configuration(self) -> None:
        """Write the registry's configuration file."""
        storage = {"filesystem": {"rootdirectory": str(self._directory / "images")}, "delete": {"enabled": True}}
        configuration: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": storage,
            "http": {"addr": self.address, "secret": secrets.token_hex(16)},
        }
        if self._passwords.exists():
            configuration["auth"] = {"htpasswd": {"realm": "sandbox", "path": str(self._passwords)}}
        self._directory.mkdir(parents=True, exist_ok=True)
        write_atomically(self._config, yaml.safe_dump(configuration))

    def _read_users(self) -> dict[str, str]:
        if not self._passwords.exists():
            return {}
        return dict(line.split(":", 1) for line in self._passwords.read_text().splitlines())
