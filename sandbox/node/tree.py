"""The operating system of a release: a small but real ostree commit.

Programs and libraries of the booted node are those of the machine (its `/usr` is mounted over the commit's); what the
commit holds for real is a kernel, an initramfs, the release's name, the vendor's units and the default `/etc`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

from hostops.runner import Runner
from sandbox.layout import NODE_MOUNT

REFERENCE = "rhcos/{version}"
"""Branch of the release `version` in the sysroot's repository."""

MOUNT_POINTS = ("python", "site", "app", "assets", "bin", "control", "lvm", "logs")
"""Folders below `/sandbox` of the node. A deployment's root is immutable, so every mount point is in the commit."""

_EMPTY = ("boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var", *(f"sandbox/{name}" for name in MOUNT_POINTS))
_LINKS = {
    **{name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib64")},
    **{name: f"var/{name}" for name in ("home", "mnt", "opt", "srv")},
    "root": "var/roothome",
    "ostree": "sysroot/ostree",
    "media": "run/media",
}

# The machine's programs look these up below /etc.
_FROM_THE_MACHINE = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl/openssl.cnf", "mke2fs.conf")

_USERS = """
    root:x:0:0:root:/root:/bin/bash
    nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
    chrony:x:993:990::/var/lib/chrony:/usr/sbin/nologin
    core:x:1000:1000:CoreOS Admin:/var/home/core:/bin/bash
"""
_GROUPS = """
    root:x:0:
    tty:x:5:
    disk:x:6:
    wheel:x:10:core
    chrony:x:990:
    core:x:1000:
    nogroup:x:65534:
"""
_ETC = {
    "passwd": _USERS,
    "group": _GROUPS,
    "hosts": """
        127.0.0.1 localhost localhost.localdomain
        ::1 localhost localhost.localdomain
    """,
    "nsswitch.conf": """
        passwd: files
        group: files
        hosts: files dns
    """,
    "hostname": "localhost\n",
    "chrony.conf": """
        pool 0.pool.ntp.org iburst
        driftfile /var/lib/chrony/drift
    """,
    "containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
    "containers/registries.conf": 'unqualified-search-registries = ["registry.access.redhat.com", "docker.io"]\n',
}

# Plain services of the vendor; they only have to be started and stopped in the right order.
_SERVICES = {
    "NetworkManager": ("Network Manager", ""),
    "NetworkManager-wait-online": ("Network Manager Wait Online", "After=NetworkManager.service"),
    "dnsmasq": ("Run dnsmasq to provide local dns for Single Node OpenShift", "After=NetworkManager.service"),
    "coreos-update-ca-trust": ("Run update-ca-trust", "Before=kubelet.service"),
    "chronyd": ("NTP client/server", ""),
    "sshd": ("OpenSSH server daemon", "After=NetworkManager.service"),
    "crio": ("Container Runtime Interface for OCI (CRI-O)", "After=NetworkManager-wait-online.service"),
}
_ENABLED = ("NetworkManager", "NetworkManager-wait-online", "dnsmasq", "coreos-update-ca-trust", "chronyd", "sshd")
_UNITS = "systemd/system"


def commit_release(runner: Runner, repository: Path, version: str, scratch: Path) -> str:
    """Commit the operating system of OpenShift `version` to `repository`; return its branch.

    `scratch` is an empty folder on the same file system; it is removed. Raises OSError, CommandError.
    """
    reference = REFERENCE.format(version=version)
    write_tree(scratch, version)
    metadata = f"--add-metadata-string=version={rhcos_version(version)}"
    options = ("--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--consume", metadata)
    runner.run("ostree", f"--repo={repository}", "commit", f"--branch={reference}", *options, f"--tree=dir={scratch}")
    shutil.rmtree(scratch, ignore_errors=True)
    return reference


def write_tree(root: Path, version: str) -> None:
    """Lay out the operating system of OpenShift `version` below `root`."""
    for name in _EMPTY:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, target in _LINKS.items():
        (root / name).symlink_to(target)
    kernel = root / "usr/lib/modules" / kernel_version(version)
    kernel.mkdir(parents=True)
    (kernel / "vmlinuz").write_text(f"kernel of {version}\n")
    (kernel / "initramfs.img").write_text(f"initramfs of {version}\n")
    _write(root / "usr/lib/os-release", _os_release(version))
    (root / NODE_MOUNT.relative_to("/") / "README").write_text("Mount points of the sandbox.\n")
    _write_etc(root / "usr/etc")
    _write_vendor_units(root / "usr/lib" / _UNITS)


def rhcos_version(version: str) -> str:
    """Version of the operating system of OpenShift `version`: 4.16.1 -> 416.94.1."""
    major, minor, rest = version.split(".", 2)
    return f"{major}{minor}.{90 + int(minor) // 4}.{rest}"


def kernel_version(version: str) -> str:
    """Kernel release of OpenShift `version`; differs between minor releases, as on real nodes."""
    return f"5.14.0-{int(version.split('.')[1]) * 27}.el9.x86_64"


def _os_release(version: str) -> str:
    minor = ".".join(version.split(".")[:2])
    return f"""
        NAME="Red Hat Enterprise Linux CoreOS"
        ID="rhcos"
        ID_LIKE="rhel fedora"
        VERSION="{rhcos_version(version)}"
        VERSION_ID="{minor}"
        VARIANT="CoreOS"
        VARIANT_ID=coreos
        PLATFORM_ID="platform:el9"
        PRETTY_NAME="Red Hat Enterprise Linux CoreOS {rhcos_version(version)} (sandbox)"
        OPENSHIFT_VERSION="{minor}"
        OSTREE_VERSION="{rhcos_version(version)}"
        SANDBOX_RELEASE="{version}"
    """


def _write_etc(etc: Path) -> None:
    etc.mkdir(parents=True)
    (etc / "os-release").symlink_to("../usr/lib/os-release")
    for name, text in _ETC.items():
        _write(etc / name, text)
    for name in _FROM_THE_MACHINE:
        source, target = Path("/etc") / name, etc / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        elif source.is_file():
            shutil.copy2(source, target)
    wants = etc / _UNITS / "multi-user.target.wants"
    wants.mkdir(parents=True)
    for name in _ENABLED:
        (wants / f"{name}.service").symlink_to(f"/usr/lib/{_UNITS}/{name}.service")


def _write_vendor_units(folder: Path) -> None:
    _write(folder / "multi-user.target", "[Unit]\nDescription=Multi-User System\n")
    _write(folder / "network-online.target", "[Unit]\nDescription=Network is Online\n")
    for name, (description, order) in _SERVICES.items():
        _write(
            folder / f"{name}.service",
            f"""
            [Unit]
            Description={description}
            {order}
            [Service]
            Type=oneshot
            RemainAfterExit=yes
            ExecStart=/usr/bin/true
            [Install]
            WantedBy=multi-user.target
            """,
        )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text).lstrip("\n"))
