"""What the node itself keeps of its identity: SSH keys and the time servers (upgrade-and-oadp.md 9.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hostops.hostroot import HostRoot
from seeds.reconfiguration import ServerSshKey

USER_SSH_KEY = "/home/core/.ssh/authorized_keys.d/ignition"
SSH_FOLDER = "/etc/ssh"
SERVER_KEY_PATTERN = "ssh_host_*_key*"
CHRONY_CONFIG = "/etc/chrony.conf"


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """`ssh_key` opens the node for its administrators; `server_ssh_keys` are those of its SSH server, by name."""

    ssh_key: str = ""
    server_ssh_keys: tuple[ServerSshKey, ...] = field(default=(), repr=False)
    chrony_config: str = ""


def read_host_identity(root: HostRoot, problems: list[str]) -> HostIdentity:
    """Read the files; what can not be read is left out and appended to `problems`."""
    return HostIdentity(
        ssh_key=_read(root, USER_SSH_KEY, "failed to get ssh key: failed to read sshKey", problems),
        server_ssh_keys=_read_server_keys(root, problems),
        chrony_config=_read(root, CHRONY_CONFIG, "failed to get chrony config", problems, optional=True),
    )


def _read_server_keys(root: HostRoot, problems: list[str]) -> tuple[ServerSshKey, ...]:
    names = sorted(path.name for path in root.resolve(SSH_FOLDER).glob(SERVER_KEY_PATTERN))
    doing = "failed to get server ssh keys"
    contents = {name: _read(root, f"{SSH_FOLDER}/{name}", doing, problems) for name in names}
    return tuple(ServerSshKey(file_name=name, content=content) for name, content in contents.items())


def _read(root: HostRoot, path: str, doing: str, problems: list[str], *, optional: bool = False) -> str:
    try:
        return root.resolve(path).read_text()
    except FileNotFoundError as error:
        if not optional:
            problems.append(f"{doing}: open {path}: {(error.strerror or '').lower()}")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        problems.append(f"{doing}: open {path}: {(reason or '').lower()}")
    return ""
