"""Failed host commands in the words that users of the original know (post-pivot-and-rollback.md 4)."""

from __future__ import annotations

from hostops.runner import CommandError


def describe_command_error(error: CommandError) -> str:
    """Return which command failed and how, e.g. `failed executing systemctl restart [dnsmasq.service]: ...`."""
    program, *words = error.argv
    if program == "systemctl" and words:
        action, *units = words
        return f"failed executing systemctl {action} {_list(units)}: {error}"
    if program == "bash" and words[:1] == ["-c"]:
        return f"failed to run bash in host namespace with args {_list(words[1:])}: {error}"
    return f'failed to run "{program}" in host namespace with args {_list(words)}: {error}'


def _list(words: list[str]) -> str:
    return f"[{' '.join(words)}]"
