"""A seed image in a few lines, for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seeds.format import FORMAT_LABEL, FORMAT_VERSION, INFO_LABEL, SeedClusterInfo, SeedFormatError

_KIB = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file at the root of an image, or a layer without a name."""

    name: str
    size_bytes: int


def read_info(labels: Mapping[str, str]) -> SeedClusterInfo | None:
    """Return the description of the seed cluster, None when the image has none. Raises SeedFormatError."""
    text = labels.get(INFO_LABEL)
    return None if text is None else SeedClusterInfo.parse(text)


def describe_image(
    reference: str, digest: str, labels: Mapping[str, str], files: Sequence[ImageFile], size_bytes: int
) -> list[str]:
    """Return the lines about an image; what is damaged is said in its place."""
    found = labels.get(FORMAT_LABEL)
    understood = "" if found == FORMAT_VERSION else f" (this version understands {FORMAT_VERSION})"
    lines = [
        f"Image:      {reference}",
        f"Digest:     {digest}",
        f"Format:     {found or 'none: this is no seed image, or a very old one'}{understood if found else ''}",
    ]
    try:
        info = read_info(labels)
    except SeedFormatError as error:
        lines.append(f"Cluster:    can not be read: {error}")
    else:
        lines += [f"{name + ':':<12}{value}" for name, value in _describe_cluster(info)]
    lines.append(f"Size:       {format_size(size_bytes)} in {len(files)} layers")
    width = max((len(file.name) for file in files), default=0)
    lines += [f"  {file.name:<{width}}  {format_size(file.size_bytes):>10}" for file in files if file.name]
    if not any(file.name for file in files):
        lines.append("  its files are not listed by the image; --contents downloads it and lists them")
    return lines


def _describe_cluster(info: SeedClusterInfo | None) -> Iterator[tuple[str, str]]:
    if info is None:
        yield "Cluster", "not described"
        return
    yield "Release", info.version or "unknown"
    domain = f"{info.cluster_name}.{info.base_domain}" if info.cluster_name else "unknown"
    yield "Cluster", f"{domain}, node {info.hostname or 'unknown'} ({_join(info.addresses)})"
    yield (
        "Networks",
        (
            f"machine {_join(info.machine_networks)}; cluster {_join(info.cluster_networks)}; "
            f"service {_join(info.service_networks)}"
        ),
    )
    cpu = info.cpu_topology
    processors = f"{cpu.sockets} sockets, {cpu.cores} cores, {cpu.threads} threads" if cpu else "unknown"
    yield "Processors", processors
    traits = [
        "FIPS" if info.has_fips else "no FIPS",
        "proxy" if info.has_proxy else "no proxy",
        "mirror registries" if info.mirror_registry_configured else "no mirror registries",
    ]
    trust = info.trust_bundle
    if trust is not None:
        traits.append("own certificate authorities" if trust.has_user_ca_bundle else "no own certificate authorities")
    yield "Traits", ", ".join(traits)
    yield "Storage", info.container_storage_target or "not a mount of its own"
    yield "Registry", info.release_registry or "unknown"
    yield "recert", info.recert_image or "unknown"


def format_size(size_bytes: int) -> str:
    """Return a size with a unit: `1.2 GiB`."""
    size, unit = float(size_bytes), 0
    while size >= _KIB and unit < len(_UNITS) - 1:
        size, unit = size / _KIB, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def _join(items: Iterable[str]) -> str:
    return ", ".join(items) or "unknown"
