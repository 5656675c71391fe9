"""How to reach an API server and who we are there: in a pod, from a kubeconfig, or by token and CA."""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from agent.kube.errors import AccessError
from agent.kube.lean_import import import_configuration_modules

kubernetes_modules = import_configuration_modules()


@dataclass(frozen=True, slots=True)
class Access:
    """Everything needed to talk to one API server. Secrets are kept out of `repr`.

    `authorization` returns the current value of the HTTP header (None: no token); it may read a rotated token file
    or run an exec plugin, so callers keep its result for some seconds.
    """

    server: str
    ca_pem: bytes | None = None
    certificate_pem: bytes | None = None
    private_key_pem: bytes | None = field(default=None, repr=False)
    insecure: bool = False
    tls_server_name: str | None = None
    proxy: str | None = None
    no_proxy: str = ""
    authorization: Callable[[], str | None] = field(default=lambda: None, repr=False)

    @classmethod
    def find(cls, kubeconfig: Path | None = None, context: str | None = None) -> Access:
        """Return the access by the given kubeconfig, else of this pod, else by $KUBECONFIG or ~/.kube/config."""
        if kubeconfig is None and context is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            return cls.in_cluster()
        return cls.from_kubeconfig(kubeconfig, context)

    @classmethod
    def in_cluster(cls) -> Access:
        """Return the access that a pod has by its service account; a rotated token is read again."""
        configuration = kubernetes_modules.configuration.Configuration()
        try:
            kubernetes_modules.incluster_config.load_incluster_config(client_configuration=configuration)
            return cls._from_configuration(configuration)
        except (kubernetes_modules.config_exception.ConfigException, OSError) as error:
            raise AccessError(f"service account of this pod: {error}") from error

    @classmethod
    def from_kubeconfig(cls, path: Path | None = None, context: str | None = None) -> Access:
        """Read a kubeconfig (default: $KUBECONFIG, which may list several files, else ~/.kube/config)."""
        location = str(path or os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser())
        configuration = kubernetes_modules.configuration.Configuration()
        try:
            with tempfile.TemporaryDirectory(prefix="kube-access-") as directory:  # the loader unpacks keys to files
                _load_kubeconfig(location, context, configuration, directory)
                return cls._from_configuration(configuration)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise AccessError(f"kubeconfig {location}: {_mask_entries(str(error))}") from error
        except (OSError, yaml.YAMLError) as error:
            raise AccessError(f"kubeconfig {location} cannot be read: {error}") from error

    @classmethod
    def remote(cls, server: str, token: str, ca_pem: bytes | None, *, insecure: bool = False) -> Access:
        """Return the access to another cluster by bearer token; without CA the system's certificates decide."""
        configuration = kubernetes_modules.configuration.Configuration()
        configuration.host = server.rstrip("/")
        configuration.verify_ssl = not insecure
        configuration.api_key["BearerToken"] = f"Bearer {token}"
        return cls._from_configuration(configuration, ca_pem=ca_pem)

    @classmethod
    def _from_configuration(cls, configuration: Any, ca_pem: bytes | None = None) -> Access:
        def read(path: str | None) -> bytes | None:
            return Path(path).read_bytes() if path else None

        def authorization() -> str | None:
            setting = configuration.auth_settings().get("BearerToken")
            return setting["value"].strip() if setting and setting["value"] else None

        return cls(
            server=configuration.host,
            ca_pem=ca_pem or read(configuration.ssl_ca_cert),
            certificate_pem=read(configuration.cert_file),
            private_key_pem=read(configuration.key_file),
            insecure=not configuration.verify_ssl,
            tls_server_name=configuration.tls_server_name,
            proxy=configuration.proxy,
            no_proxy=configuration.no_proxy or "",
            authorization=authorization,
        )

    def __post_init__(self) -> None:
        url = urlsplit(self.server)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise AccessError(f"server {self.server!r} is not a URL such as https://api.example.com:6443")

    def build_ssl_context(self) -> ssl.SSLContext:
        """Build the TLS context: one for all connections, so that certificates are parsed once."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca_pem is None:
            context.load_default_certs()
        try:
            if self.ca_pem and not self.insecure:
                context.load_verify_locations(cadata=self.ca_pem.decode("ascii", "ignore"))
            if self.certificate_pem and self.private_key_pem:
                _load_client_certificate(context, self.certificate_pem, self.private_key_pem)
        except (ssl.SSLError, ValueError) as error:
            raise AccessError(f"certificates for {self.server}: {error}") from error
        return context


def _load_kubeconfig(location: str, context: str | None, configuration: Any, directory: str) -> None:
    """Fill `configuration` from a kubeconfig; keys that are in the file go to files below `directory`."""
    modules = kubernetes_modules
    try:
        merged = modules.kube_config.KubeConfigMerger(location).config
        if merged is None:
            raise ValueError("there is no such file; set KUBECONFIG or name the right one")
        if any("auth-provider" in (entry.value.get("user") or {}) for entry in merged.value["users"]):
            modules = import_configuration_modules(lean=False)
        loader = modules.kube_config.KubeConfigLoader(
            merged, active_context=context, config_base_path=None, temp_file_path=directory
        )
        loader.load_and_set(configuration)
    except (kubernetes_modules.config_exception.ConfigException, modules.config_exception.ConfigException) as error:
        raise ValueError(str(error)) from error
    user_name = loader.current_context["context"].get("user")
    user = merged["users"].get_with_name(user_name, safe=True) if user_name else None
    if user is not None and "exec" in user["user"] and not (configuration.api_key or configuration.cert_file):
        command = user["user"]["exec"]["command"]
        raise ValueError(f"the credential plugin {command!r} of user {user_name!r} gave no credentials (see the log)")


def _mask_entries(text: str) -> str:
    """Hide entries of the kubeconfig that the loader quotes whole, tokens included."""
    return re.sub(r"\{.*\}", "{...}", text, flags=re.DOTALL)


def _load_client_certificate(context: ssl.SSLContext, certificate_pem: bytes, private_key_pem: bytes) -> None:
    """Load a client certificate; the ssl module reads it from files only, so they exist for a moment, for us alone."""
    with tempfile.TemporaryDirectory(prefix="kube-access-") as directory:
        certificate, key = Path(directory, "certificate"), Path(directory, "key")
        certificate.write_bytes(certificate_pem)
        key.touch(mode=0o600)
        key.write_bytes(private_key_pem)
        context.load_cert_chain(certificate, key)
