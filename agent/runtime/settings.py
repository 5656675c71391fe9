"""Settings of a process from its flags and environment; every bad value is reported at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from agent.runtime.http_server import BindAddress
from agent.runtime.logs import LogFormat

DEFAULT_NAMESPACE = "openshift-lifecycle-agent"
_DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class SettingsError(Exception):
    """Flags or environment variables hold values that can not be used; the text lists all of them, one per line."""


def _parse_address(value: object, _: ValidationInfo) -> object:
    return BindAddress.parse(value) if isinstance(value, str) else value


Address = Annotated[BindAddress | None, BeforeValidator(_parse_address)]


class ProcessSettings(BaseSettings):
    """What every controller process needs. Flags are passed by field name and win over the environment."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    pod_name: str | None = Field(None, validation_alias=AliasChoices("MY_POD_NAME", "POD_NAME", "HOSTNAME"))
    namespace: Annotated[str, Field(max_length=63, pattern=_DNS_LABEL)] = Field(
        DEFAULT_NAMESPACE, validation_alias="MY_POD_NAMESPACE"
    )
    kubeconfig: Path | None = None
    log_format: LogFormat = Field("text", validation_alias="LCA_LOG_FORMAT")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", validation_alias="LCA_LOG_LEVEL")
    metrics_bind_address: Address = Field(BindAddress("", 8080), validation_alias="LCA_METRICS_BIND_ADDRESS")
    metrics_tls_cert_dir: Path | None = Field(None, validation_alias="LCA_METRICS_TLS_CERT_DIR")
    health_probe_bind_address: Address = Field(BindAddress("", 8081), validation_alias="LCA_HEALTH_PROBE_BIND_ADDRESS")
    leader_elect: bool = Field(False, validation_alias="LCA_LEADER_ELECT")


S = TypeVar("S", bound=ProcessSettings)


def load_settings(model: type[S], **flags: Any) -> S:
    """Read `model` from the flags that were given (None: not given) and the environment. Raises SettingsError."""
    try:
        return model(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_describe(model, problem, flags) for problem in error.errors())) from error


def _describe(model: type[ProcessSettings], problem: Any, flags: dict[str, Any]) -> str:
    place = str(problem["loc"][0]) if problem["loc"] else ""
    message = str(problem["msg"]).removeprefix("Value error, ")
    name = next((name for name, field in model.model_fields.items() if place in (name, *_variables(field))), place)
    if flags.get(name) is not None:
        return f"--{name.replace('_', '-')}: {message}"
    variables = _variables(model.model_fields[name]) if name in model.model_fields else (place,)
    return f"{next((v for v in variables if v in os.environ), place)}: {message}"


def _variables(field: Any) -> tuple[str, ...]:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (alias,) if isinstance(alias, str) else ()
