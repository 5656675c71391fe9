"""Container images for tests: a private container storage, a registry, images built by buildah."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sandbox.outside import Registry


class Storage:
    """A container storage of its own; `environment` makes podman, buildah and skopeo use it."""

    def __init__(self, directory: Path, registry: Registry) -> None:
        self.directory = directory
        self.registry = registry
        directory.mkdir(parents=True, exist_ok=True)
        lines = ("[storage]", 'driver="overlay"', f'graphroot="{directory}/graph"', f'runroot="{directory}/runroot"')
        (directory / "storage.conf").write_text("\n".join(lines))
        self.trust(registry.address)
        (directory / "auth.json").write_text('{"auths":{}}')
        self.authfile = str(directory / "auth.json")

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            "HOME": str(self.directory / "home"),
        }

    def trust(self, address: str) -> None:
        """Use plain HTTP for the registry at `address`, and for no other."""
        settings = self.directory / "home/.config/containers"  # the only place where skopeo looks besides /etc
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "registries.conf").write_text(f'[[registry]]\nlocation="{address}"\ninsecure=true\n')

    def reference(self, name: str) -> str:
        return f"{self.registry.address}/{name}"

    def push(self, name: str, files: Mapping[str, bytes], labels: Mapping[str, str] | None = None) -> str:
        """Build an image with `files` at its root, push it and remove it here; return its reference."""
        context = self.directory / "context"
        context.mkdir(exist_ok=True)
        for path, content in files.items():
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            (context / path).write_bytes(content)
        reference = self.reference(name)
        container = self.call("buildah", "from", "scratch")
        self.call("buildah", "copy", "-q", container, str(context), "/")
        for key, value in (labels or {}).items():
            self.call("buildah", "config", "--label", f"{key}={value}", container)
        self.call("buildah", "commit", "-q", "--rm", container, reference)
        self.call("buildah", "push", "-q", reference)
        self.call("buildah", "rmi", reference)
        for path in files:
            (context / path).unlink()
        return reference

    def call(self, *argv: str) -> str:
        result = subprocess.run(
            argv, check=False, capture_output=True, text=True, env={**os.environ, **self.environment}
        )
        assert result.returncode == 0, f"{argv}: {result.stderr}"
        return result.stdout.strip()

    def destroy(self) -> None:
        """Unmount everything and remove the layers; overlay mounts would keep the folder busy."""
        self.call("podman", "image", "umount", "--all", "--force")
        subprocess.run(["umount", str(self.directory / "graph/overlay")], stderr=subprocess.DEVNULL)
