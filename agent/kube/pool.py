"""The connections to one API server: a pool that shares one TLS context."""

from __future__ import annotations

import logging
from typing import Any

import urllib3
from urllib3.exceptions import InsecureRequestWarning

from agent.kube.access import Access, kubernetes_modules

_CONNECTIONS_KEPT = 16
_log = logging.getLogger(__name__)


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
            urllib3.disable_warnings(InsecureRequestWarning)  # one warning of ours instead of one per request
            _log.warning("the certificate of %s is not verified, as configured", access.server)
        if access.tls_server_name:
            options["server_hostname"] = access.tls_server_name
    if access.proxy and not kubernetes_modules.rest.should_bypass_proxies(access.server, access.no_proxy):
        return urllib3.ProxyManager(access.proxy, **options)
    return urllib3.PoolManager(**options)
