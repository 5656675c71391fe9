"""The identity of the upgraded cluster: what turns the seed's cluster into this one after the pivot.

Written before the reboot, read by the program that runs before kubelet (upgrade-and-oadp.md 9.1,
post-pivot-and-rollback.md 5.5). It holds secrets in clear: mode 0600, never logged.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

API_VERSION = 1


class ReconfigurationError(ValueError):
    """The file does not hold a reconfiguration; the text names the keys, never their values."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True, hide_input_in_errors=True)
    kept_empty: ClassVar[frozenset[str]] = frozenset()
    """Keys that are written even when they are empty."""

    @model_validator(mode="before")
    @classmethod
    def _read_null_as_absent(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class ServingCrypto(_Part):
    """Keys of the signers of the API server's certificates, PEM."""

    localhost_signer: str = Field("", alias="localhost_signer_private_key", repr=False)
    service_network_signer: str = Field("", alias="service_network_signer_private_key", repr=False)
    loadbalancer_signer: str = Field("", alias="loadbalancer_external_signer_private_key", repr=False)


class ClientAuthCrypto(_Part):
    """The CA bundle that administrators' client certificates are checked against, PEM."""

    admin_ca: str = Field("", alias="admin_ca_certificate", repr=False)


class KubeApiCrypto(_Part):
    """Crypto of the API server."""

    serving: ServingCrypto = Field(ServingCrypto(), alias="ServingCrypto")
    client_auth: ClientAuthCrypto = Field(ClientAuthCrypto(), alias="ClientAuthCrypto")


class IngressCrypto(_Part):
    """Key of the ingress operator's CA, PEM, and that CA's common name."""

    ca_key: str = Field("", alias="ingress_ca", repr=False)
    certificate_cn: str = Field("", alias="ingress_certificate_cn")


class KubeconfigCrypto(_Part):
    """What keeps kubeconfigs from before the upgrade valid; the third s of `IngresssCrypto` is part of the format."""

    kube_api: KubeApiCrypto = Field(KubeApiCrypto(), alias="KubeAPICrypto")
    ingress: IngressCrypto = Field(IngressCrypto(), alias="IngresssCrypto")


class ServerSshKey(_Part):
    """One file of the SSH server's host keys."""

    file_name: str
    content: str = Field(alias="file_content", repr=False)


class ProxySettings(_Part):
    """Proxy URLs may hold credentials."""

    http: str = Field("", alias="httpProxy", repr=False)
    https: str = Field("", alias="httpsProxy", repr=False)
    no_proxy: str = Field("", alias="noProxy")


class AdditionalTrust(_Part):
    """Additional authorities: the user's bundle, and name and content of the ConfigMap that the proxy trusts."""

    kept_empty: ClassVar = frozenset({"userCaBundle", "proxyConfigmapName", "proxyConfigmapBundle"})

    user_ca_bundle: str = Field("", alias="userCaBundle")
    proxy_configmap_name: str = Field("", alias="proxyConfigmapName")
    proxy_configmap_bundle: str = Field("", alias="proxyConfigmapBundle")


class SeedReconfiguration(_Part):
    """The whole file. `node_ip` and `machine_network` of older writers are read into the lists."""

    api_version: int = API_VERSION
    base_domain: str = ""
    cluster_name: str = ""
    cluster_id: str = ""
    infra_id: str = ""
    node_ips: tuple[str, ...] = ()
    release_registry: str = ""
    hostname: str = ""
    kubeconfig_crypto: KubeconfigCrypto = Field(KubeconfigCrypto(), alias="KubeconfigCryptoRetention")
    ssh_key: str = ""
    server_ssh_keys: tuple[ServerSshKey, ...] = ()
    kubeadmin_password_hash: str = Field("", repr=False)
    raw_nm_state_config: str = Field("", repr=False)
    pull_secret: str = Field("", repr=False)
    machine_networks: tuple[str, ...] = ()
    proxy: ProxySettings | None = None
    status_proxy: ProxySettings | None = None
    install_config: str = Field("", repr=False)
    chrony_config: str = ""
    additional_trust: AdditionalTrust = Field(AdditionalTrust(), alias="additionalTrustBundle")
    node_labels: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read_older_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for old, new in (("node_ip", "node_ips"), ("machine_network", "machine_networks")):
            if data.get(old) and not data.get(new):
                data = {**data, new: [data[old]]}
        return data

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read the file's content; unknown keys are ignored. Raises ReconfigurationError that names every bad key."""
        try:
            return cls.model_validate(json.loads(text))
        except ValidationError as error:
            bad = (f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}" for item in error.errors())
            raise ReconfigurationError("; ".join(bad)) from None
        except ValueError as error:
            raise ReconfigurationError(f"not valid JSON: {error}") from None

    def dump(self) -> str:
        """Return the JSON in one line; keys without a value are left out where the format allows it.

        Objects are written even when they hold nothing: readers tell an upgrade by the presence of `status_proxy`.
        """
        return json.dumps(_drop_empty(self), separators=(",", ":"), ensure_ascii=False)


def _drop_empty(part: _Part) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, field in type(part).model_fields.items():
        key, value = field.alias or name, getattr(part, name)
        if isinstance(value, _Part):
            written[key] = _drop_empty(value)
        elif isinstance(value, tuple) and value:
            written[key] = [_drop_empty(item) if isinstance(item, _Part) else item for item in value]
        elif value or key in part.kept_empty:
            written[key] = value
    return written
