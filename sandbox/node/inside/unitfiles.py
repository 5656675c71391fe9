"""Unit files: search path, parsing, drop-ins, enabling.

Runs on the node in front of every `systemctl`, hence only modules that cost nothing are imported.
"""

from __future__ import annotations

import os

ETC_UNITS = "/etc/systemd/system"
VENDOR_UNITS = "/usr/lib/systemd/system"
"""Where links of enabled vendor units point; the units themselves lie in the deployment, see `search_path`."""

Sections = dict[str, list[tuple[str, str]]]


class NoSuchUnitError(Exception):
    """No unit file has this name; the text is systemd's."""


def booted_root() -> str:
    """Folder of the booted deployment below `/sysroot`, taken from the kernel's command line.

    Below it the commit's own `/usr` is visible, which the machine's hides at `/usr`. Empty when there is none.
    """
    with open("/proc/cmdline") as file:
        for word in file.read().split():
            if word.startswith("ostree="):
                return os.path.realpath("/sysroot" + word.removeprefix("ostree="))
    return ""


def search_path(root: str = "") -> list[str]:
    """Folders of unit files, the most important first; `root` is another root folder, "" the running system."""
    if root:
        return [root + ETC_UNITS, root + VENDOR_UNITS]
    return [ETC_UNITS, "/run/systemd/system", "/run/systemd/transient", booted_root() + VENDOR_UNITS]


def full_name(name: str) -> str:
    """`kubelet` -> `kubelet.service`."""
    kinds = (".service", ".target", ".mount", ".socket", ".timer", ".path", ".slice", ".scope")
    return name if name.endswith(kinds) else f"{name}.service"


def find_unit(name: str, folders: list[str]) -> str:
    """Path of the unit file. Raises NoSuchUnitError."""
    for folder in folders:
        path = f"{folder}/{name}"
        if os.path.lexists(path) and not (os.path.islink(path) and not os.path.exists(path) and _elsewhere(path)):
            return path
    raise NoSuchUnitError(f"Unit {name} not found.")


def _elsewhere(link: str) -> bool:
    """A link into /usr/lib stands for the vendor's unit, which another folder of the search path holds."""
    return os.readlink(link).startswith(VENDOR_UNITS)


def list_fragments(name: str, folders: list[str]) -> list[str]:
    """The unit file and its drop-ins in the order in which they are read. Raises NoSuchUnitError."""
    dropins: dict[str, str] = {}
    for folder in reversed(folders):
        if os.path.isdir(f"{folder}/{name}.d"):
            names = os.listdir(f"{folder}/{name}.d")
            dropins.update({entry: f"{folder}/{name}.d/{entry}" for entry in names if entry.endswith(".conf")})
    return [find_unit(name, folders), *(dropins[entry] for entry in sorted(dropins))]


def read_unit(name: str, folders: list[str]) -> Sections:
    """All settings of a unit in order; an empty value clears the earlier ones of its key. Raises NoSuchUnitError."""
    sections: Sections = {}
    for path in list_fragments(name, folders):
        with open(path, errors="replace") as file:
            _parse(file.read(), sections)
    for kind in ("wants", "requires"):
        for folder in folders:
            if os.path.isdir(f"{folder}/{name}.{kind}"):
                links = sorted(os.listdir(f"{folder}/{name}.{kind}"))
                sections.setdefault("Unit", []).extend((kind.capitalize(), link) for link in links)
    return sections


def _parse(text: str, sections: Sections) -> None:
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[" and stripped[-1] == "]":
            section = stripped[1:-1]
            sections.setdefault(section, [])
            continue
        key, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals or not section:
            continue
        if value:
            sections[section].append((key, value))
        else:
            sections[section] = [pair for pair in sections[section] if pair[0] != key]


def values(sections: Sections, section: str, key: str) -> list[str]:
    """All values of a key that may be repeated."""
    return [value for name, value in sections.get(section, ()) if name == key]


def words(sections: Sections, section: str, key: str) -> list[str]:
    """All words of all values of a key that holds a list."""
    return [word for value in values(sections, section, key) for word in value.split()]


def last(sections: Sections, section: str, key: str, default: str = "") -> str:
    """Value of a key that is set once."""
    found = values(sections, section, key)
    return found[-1] if found else default


def enable_unit(name: str, root: str = "") -> list[str]:
    """Make the links that the unit's [Install] section asks for; return systemd's lines about new ones.

    Raises NoSuchUnitError, OSError.
    """
    folders = search_path(root)
    path = find_unit(name, folders)
    if _is_masked(path):
        raise NoSuchUnitError(f"Failed to enable unit: Unit file {path.removeprefix(root)} is masked.")
    target = path.removeprefix(root) if path.startswith(root + ETC_UNITS) else f"{VENDOR_UNITS}/{name}"
    lines = []
    for link in _install_links(name, folders, root):
        if os.path.lexists(link):
            continue
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(target, link)
        _sync_folder(os.path.dirname(link))
        lines.append(f"Created symlink {link} → {target}.")
    return lines


def disable_unit(name: str, root: str = "") -> list[str]:
    """Remove every link to the unit from the administrator's folders. Raises OSError."""
    lines = []
    top = root + ETC_UNITS
    wanted = (
        [entry for entry in os.listdir(top) if entry.endswith((".wants", ".requires"))] if os.path.isdir(top) else []
    )
    for folder in [top, *(f"{top}/{entry}" for entry in wanted)]:
        link = f"{folder}/{name}"
        if not os.path.islink(link) or (folder == top and os.path.basename(os.readlink(link)) == name):
            continue
        os.unlink(link)
        _sync_folder(folder)
        lines.append(f"Removed {link}.")
    return lines


def mask_unit(name: str, root: str = "") -> list[str]:
    """Make the unit impossible to start. Raises OSError when the administrator's folder holds a file of that name."""
    link = f"{root}{ETC_UNITS}/{name}"
    if os.path.lexists(link) and _is_masked(link):
        return []
    os.symlink("/dev/null", link)
    return [f"Created symlink {link} → /dev/null."]


def unmask_unit(name: str, root: str = "") -> list[str]:
    """Take `mask_unit` back."""
    link = f"{root}{ETC_UNITS}/{name}"
    if not (os.path.lexists(link) and _is_masked(link)):
        return []
    os.unlink(link)
    return [f"Removed {link}."]


def enabled_state(name: str, root: str = "") -> str:
    """`enabled`, `disabled`, `static` (nothing to enable) or `masked`. Raises NoSuchUnitError."""
    folders = search_path(root)
    path = find_unit(name, folders)
    if _is_masked(path):
        return "masked"
    links = _install_links(name, folders, root)
    if any(os.path.lexists(link) for link in links):
        return "enabled"
    return "disabled" if links else "static"


def _is_masked(path: str) -> bool:
    return os.path.islink(path) and os.readlink(path) == "/dev/null"


def _install_links(name: str, folders: list[str], root: str) -> list[str]:
    sections = read_unit(name, folders)
    top = root + ETC_UNITS
    links = [
        f"{top}/{target}.{kind}/{name}"
        for key, kind in (("WantedBy", "wants"), ("RequiredBy", "requires"))
        for target in words(sections, "Install", key)
    ]
    return links + [f"{top}/{alias}" for alias in words(sections, "Install", "Alias")]


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
