"""The proxy's exceptions of a cluster that is installed from an image (post-pivot-and-rollback.md 5.2). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeds.format import SeedClusterInfo

if TYPE_CHECKING:
    from seeds.reconfiguration import SeedReconfiguration

_ALWAYS_DIRECT = ("127.0.0.1", "localhost", ".svc", ".cluster.local")


class ProxyError(ValueError):
    """Seed and site do not fit, or something is missing; the text says what."""


def complete_proxy(site: SeedReconfiguration, seed: SeedClusterInfo) -> SeedReconfiguration:
    """Return the site with its proxy's exceptions filled in, where nobody has done it. Raises ProxyError.

    An upgrade brings the finished proxy of the old cluster along (`status_proxy`); it stays as it is.
    """
    if (site.proxy is not None) != seed.has_proxy:
        raise ProxyError("seedReconfig and seedClusterInfo proxy configuration mismatch")
    if site.proxy is None or site.status_proxy is not None:
        return site
    if not site.machine_networks:
        raise ProxyError("machineNetworks is empty, must be provided in case of proxy")
    direct = {
        *_ALWAYS_DIRECT,
        f"api-int.{site.cluster_name}.{site.base_domain}",
        *site.machine_networks,
        *seed.service_networks,
        *seed.cluster_networks,
        *filter(None, site.proxy.no_proxy.split(",")),
    }
    ordered = sorted(direct, key=str.encode)
    proxy = site.proxy.model_copy(update={"no_proxy": ",".join(ordered)})
    return site.model_copy(update={"proxy": proxy, "status_proxy": proxy})
