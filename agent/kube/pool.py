"""The connections to one API server: a pool that shares one TLS context."""

from __future__ import annotations

from typing import Any

import urllib3

from agent.kube.access import Access, kubernetes_modules

_CONNECTIONS_KEPT = 16


def build_pool(access: Access) -> urllib3.PoolManager:
    """Build the pool; the proxy is used unless its exceptions name the server."""
    options: dict[str, Any] = {
        "maxsize": _CONNECTIONS_KEPT,
        "socket_options": kubernetes_modules.keepalive.tcp_keepalive_socket_options(),
    }
    if access.server.startswith("https"):
        options["ssl_context"] = access.build_ssl_context()
        if access.insecure:
            options["assert_hostname"] = False
        if access.tls_server_name:
            options["server_hostname"] = access.tls_server_name
    if access.proxy and not kubernetes_modules.rest.should_bypass_proxies(access.server, access.no_proxy):
        return urllib3.ProxyManager(access.proxy, **options)
    return urllib3.PoolManager(**options)
