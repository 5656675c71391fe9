"""What no message of this program may repeat. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seeds.reconfiguration import SeedReconfiguration

_SHORTEST = 6
"""Masking shorter texts would only make messages unreadable."""


def list_secrets(site: SeedReconfiguration) -> list[str]:
    """Return the secret texts of a configuration, each as a whole and, where it has them, line by line."""
    serving = site.kubeconfig_crypto.kube_api.serving
    texts = [site.pull_secret, site.kubeadmin_password_hash, site.kubeconfig_crypto.ingress.ca_key]
    texts += [serving.localhost_signer, serving.service_network_signer, serving.loadbalancer_signer]
    texts += [key.content for key in site.server_ssh_keys if not key.file_name.endswith(".pub")]
    texts += [url for proxy in (site.proxy, site.status_proxy) if proxy for url in (proxy.http, proxy.https)]
    texts += _list_credentials(site.pull_secret)
    parts = [line for text in texts for line in (text, *text.splitlines()) if "-----" not in line or line == text]
    return list(dict.fromkeys(part for part in parts if len(part) >= _SHORTEST))


def _list_credentials(pull_secret: str) -> Iterator[str]:
    """Yield what is secret inside of an auth file; one that can not be read is masked as a whole only."""
    try:
        auths: Any = json.loads(pull_secret)["auths"]
        entries = list(auths.values())
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    for entry in entries:
        if isinstance(entry, dict):
            yield from (value for key, value in entry.items() if key != "email" and isinstance(value, str))
