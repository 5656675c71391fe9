"""The configuration code of the `kubernetes` package without its generated API.

`import kubernetes` runs the package's `__init__` files, which pull in hundreds of generated modules, websockets and
OAuth clients (about 40 MB and most of a second). Only a few modules are needed here, so they are imported below bare
parent packages (a name and a `__path__`, no `__init__`), with placeholders for what they import but use only for
identity providers built into old kubeconfigs (`auth-provider`).

The copies made here are private: afterwards `sys.modules` is as it was, so that whoever really imports `kubernetes`
later (kopf, a plugin) gets the whole, genuine package. When the layout of the package should change, the genuine
import is used instead: more memory, same behaviour.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

_PACKAGES = ("kubernetes", "kubernetes.client", "kubernetes.config", "kubernetes.utils")
_PLACEHOLDERS = ("oauthlib", "oauthlib.oauth2", "requests_oauthlib")


class ConfigurationModules(NamedTuple):
    """The modules of `kubernetes` that read access data and know its proxy and keep-alive rules."""

    configuration: ModuleType
    rest: ModuleType
    keepalive: ModuleType
    incluster_config: ModuleType
    kube_config: ModuleType
    config_exception: ModuleType


def import_configuration_modules(*, lean: bool = True) -> ConfigurationModules:
    """Import them, without the generated API when `lean` and possible."""
    if lean and "kubernetes.config.kube_config" not in sys.modules:
        try:
            with _bare_packages() as client:
                configuration = importlib.import_module("kubernetes.client.configuration")
                client.Configuration = configuration.Configuration  # type: ignore[attr-defined]
                return _import_rest(configuration)
        except (ImportError, AttributeError):
            pass
    return _import_rest(importlib.import_module("kubernetes.client.configuration"))


def _import_rest(configuration: ModuleType) -> ConfigurationModules:
    return ConfigurationModules(
        configuration,
        importlib.import_module("kubernetes.client.rest"),
        importlib.import_module("kubernetes.utils.keepalive"),
        importlib.import_module("kubernetes.config.incluster_config"),
        importlib.import_module("kubernetes.config.kube_config"),
        importlib.import_module("kubernetes.config.config_exception"),
    )


@contextmanager
def _bare_packages() -> Iterator[ModuleType]:
    """Stand in for the packages while their modules are imported; yield the stand-in of `kubernetes.client`."""
    spec = importlib.util.find_spec("kubernetes")
    if spec is None or spec.origin is None:
        raise ImportError("the kubernetes package is not installed")
    root = Path(spec.origin).parent
    before = _take_out()
    try:
        for name in _PACKAGES:
            package = ModuleType(name)
            package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
            sys.modules[name] = package
        for name in _PLACEHOLDERS:
            sys.modules[name] = ModuleType(name)
        sys.modules["requests_oauthlib"].OAuth2Session = None  # type: ignore[attr-defined]
        client = sys.modules["kubernetes.client"]
        client.ApiClient = None  # type: ignore[attr-defined]
        yield client
    finally:
        _take_out()
        sys.modules.update(before)


def _take_out() -> dict[str, ModuleType]:
    names = [n for n in sys.modules if n.split(".")[0] in ("kubernetes", "oauthlib", "requests_oauthlib")]
    return {name: sys.modules.pop(name) for name in names}
