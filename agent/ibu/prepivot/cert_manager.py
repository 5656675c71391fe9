"""Exports the Secrets of cert-manager's Certificates, so that they stay valid after the pivot (9.5).

Their keys are kept in the certificates that the reconfiguration renews; the Secrets themselves are manifests, because
cert-manager's own objects can not be applied before its webhook runs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agent.ibu.itineraries import StageContext
from agent.ibu.prepivot.cluster_objects import SECRET
from agent.ibu.prepivot.target import locate, repeated, write_manifest
from agent.kube import Kind, Object
from agent.velero.portable import make_portable
from agent.workflow.outcome import Done, Outcome
from hostops.files import write_atomically
from seeds.cluster import list_served
from seeds.handover import CERT_MANAGER_CRYPTO, CLUSTER_MANIFESTS, fit_file_name, remove_tree, replace_tree
from seeds.identity import IdentityError, parse_common_name, read_secret

log = logging.getLogger(__name__)

CERTIFICATE = Kind("cert-manager.io", "v1", "Certificate")

_PLATFORM_PREFIXES = ("openshift-", "kube-")
_PLATFORM_NAMESPACES = ("default", "openshift")
_USABLE_NAME = re.compile(r"[^\s:/]{1,100}")


@dataclass(slots=True)
class CertificateExport:
    """File name -> manifest, file name -> private key in PEM, and why a key is left out."""

    manifests: dict[str, Object] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    warnings: list[str] = field(default_factory=list)


def export_certificates(context: StageContext) -> Outcome:
    """Write the Secrets and their keys; nothing where cert-manager is not installed."""
    with repeated("error while preserving cert-manager configuration"):
        client = context.ports.client
        names = list_secrets(list_served(client, CERTIFICATE))
        found = (client.find(SECRET, name, namespace) for namespace, name in names)
        export = compose_export(secret for secret in found if secret is not None)
        for warning in export.warnings:
            log.warning(warning)
        _write(context, export)
    return Done()


def list_secrets(certificates: Iterable[Object]) -> list[tuple[str, str]]:
    """Return namespace and name of each Secret that a Certificate names, once. Pure."""
    named = (
        (certificate["metadata"]["namespace"], (certificate.get("spec") or {}).get("secretName"))
        for certificate in certificates
    )
    return list(dict.fromkeys((namespace, name) for namespace, name in named if name))


def compose_export(secrets: Iterable[Object]) -> CertificateExport:
    """Decide what is written for these Secrets. Pure. Raises IdentityError when a key is no text."""
    export = CertificateExport()
    for secret in secrets:
        namespace, name = secret["metadata"]["namespace"], secret["metadata"]["name"]
        if not namespace.startswith(_PLATFORM_PREFIXES) and namespace not in _PLATFORM_NAMESPACES:
            manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            export.manifests[f"01_certmanager_Namespace_{namespace}.json"] = manifest
        kind = {"apiVersion": SECRET.api_version, "kind": SECRET.kind}
        export.manifests[f"03_certmanager_Secret_{name}_{namespace}.json"] = make_portable({**kind, **secret})
        common_name = _find_common_name(secret)
        if common_name and "tls.key" in secret["data"]:
            if is_usable(common_name):
                key = read_secret(secret, "tls.key")
                export.keys[f"CN={common_name}__{namespace}_{name}.key"] = key
            else:
                export.warnings.append(
                    f"Secret {namespace}/{name}: its key is not kept in renewed certificates, since the common name "
                    f"{common_name[:100]!r} can be no part of a file's name and of a rule for renewal"
                )
    return export


def is_usable(common_name: str) -> bool:
    """Tell whether a name survives the way to the rule of the reconfiguration: as a file's name, up to `__`."""
    fits = _USABLE_NAME.fullmatch(common_name) is not None
    return fits and "__" not in common_name and not common_name.endswith("_")


def _find_common_name(secret: Object) -> str:
    """Return the name on the Secret's certificate; "" when there is none that can be read."""
    if "tls.crt" not in (secret.get("data") or {}):
        return ""
    try:
        return parse_common_name(read_secret(secret, "tls.crt"))
    except IdentityError as error:
        log.info("certificate without usable name", extra={"reason": str(error)})
        return ""


def _write(context: StageContext, export: CertificateExport) -> None:
    for name, manifest in export.manifests.items():
        write_manifest(locate(context, CLUSTER_MANIFESTS), name, manifest)
    target = locate(context, CERT_MANAGER_CRYPTO)
    if not export.manifests:
        remove_tree(target)
        return

    def write(fresh: Path) -> None:
        for name, key in export.keys.items():
            write_atomically(fresh / fit_file_name(name), key)

    replace_tree(target, write)
