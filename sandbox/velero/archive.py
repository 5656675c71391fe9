"""The tarball of a backup's objects; pure.

`resources/<plural.group>/namespaces/<namespace>/<name>.json` or `resources/<plural.group>/cluster/<name>.json`, each a
second time below `resources/<plural.group>/<version>-preferredversion/`, and `metadata/version`.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator

from agent.kube import Kind, Object
from sandbox.velero.files import FORMAT_VERSION

_RESOURCES = "resources"


class ArchiveError(ValueError):
    """A backup's contents cannot be read."""


def pack_objects(objects: Iterable[tuple[str, Object]]) -> bytes:
    """Return the `.tar.gz` of pairs of a type (`plural.group`) and an object of it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
        _add(archive, "metadata/version", f"{FORMAT_VERSION}\n".encode())
        for type_name, obj in objects:
            body = json.dumps(obj, separators=(",", ":")).encode()
            version = f"{Kind.of(obj).version}-preferredversion/"
            for folder in ("", version):
                _add(archive, f"{_RESOURCES}/{type_name}/{folder}{_place(obj)}.json", body)
    return buffer.getvalue()


def unpack_objects(contents: bytes) -> Iterator[tuple[str, Object]]:
    """Yield the pairs again, in the order of the archive. Raises ArchiveError."""
    try:
        with tarfile.open(fileobj=io.BytesIO(contents), mode="r:gz") as archive:
            for member in archive:
                parts = member.name.split("/")
                if parts[0] != _RESOURCES or parts[2] not in ("namespaces", "cluster"):
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    yield parts[1], json.loads(file.read())
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise ArchiveError(f"error extracting backup: {error}") from error


def _place(obj: Object) -> str:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"namespaces/{namespace}/{metadata['name']}" if namespace else f"cluster/{metadata['name']}"


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(body), 0o755
    archive.addfile(entry, io.BytesIO(body))
