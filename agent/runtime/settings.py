"""Settings of a process from its flags and environment; every bad value is reported at once.

A setting is the field of a dataclass, with the variables that may hold it and the function that reads its text. A model
of pydantic could do the same, but its import would delay the start by a third (docs/performance.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from agent.runtime.http_server import BindAddress
from agent.runtime.logs import TIME_FORMATS, LogFormat, configure_logging

DEFAULT_NAMESPACE = "openshift-lifecycle-agent"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "f", "false", "no", "off"), False),
}
_LOG_FORMATS: dict[str, LogFormat] = {"text": "text", "console": "text", "json": "json"}
_TIME_ENCODINGS = {name: name for name in TIME_FORMATS}
_LOG_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "panic": "critical"}

T = TypeVar("T")


class SettingsError(Exception):
    """Flags or environment variables hold values that can not be used; the text lists all of them, one per line."""


def setting(parse: Callable[[str], object], *variables: str) -> Mapping[str, Any]:
    """Describe a setting, as metadata of its field.

    `parse` reads its text or raises ValueError; the first of `variables` that is set counts.
    """
    return {"parse": parse, "variables": variables}


def parse_boolean(text: str) -> bool:
    """Read `true`, `false` and what else flags of Go programs may say. Raises ValueError."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


def parse_word(words: Mapping[str, T]) -> Callable[[str], T]:
    """Return a function that reads one of `words`, in any case, or raises ValueError."""

    def parse(text: str) -> T:
        try:
            return words[text.lower()]
        except KeyError:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}") from None

    return parse


def _parse_level(text: str) -> str:
    """Read a level; a number above 0 is what Go programs call a verbosity, all of which is debugging here."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return "debug"
    return parse_word(_LOG_LEVELS)(text)


def _parse_path(text: str) -> Path | None:
    return Path(text) if text else None


def _parse_namespace(text: str) -> str:
    if not _DNS_LABEL.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a namespace: at most 63 of a-z, 0-9 and -, no - at the ends")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """What every controller process needs. Flags are passed by field name and win over the environment.

    `zap_devel` chooses what is not given for the log: text from debug on, or JSON from info on.
    """

    pod_name: str | None = field(default=None, metadata=setting(str, "MY_POD_NAME", "POD_NAME", "HOSTNAME"))
    namespace: str = field(default=DEFAULT_NAMESPACE, metadata=setting(_parse_namespace, "MY_POD_NAMESPACE"))
    kubeconfig: Path | None = field(default=None, metadata=setting(_parse_path))
    log_format: LogFormat | None = field(default=None, metadata=setting(parse_word(_LOG_FORMATS), "LCA_LOG_FORMAT"))
    log_level: str | None = field(default=None, metadata=setting(_parse_level, "LCA_LOG_LEVEL"))
    zap_devel: bool | None = field(default=None, metadata=setting(parse_boolean, "LCA_ZAP_DEVEL"))
    zap_stacktrace_level: str = field(default="debug", metadata=setting(_parse_level, "LCA_ZAP_STACKTRACE_LEVEL"))
    zap_time_encoding: str = field(
        default="iso8601", metadata=setting(parse_word(_TIME_ENCODINGS), "LCA_ZAP_TIME_ENCODING")
    )
    metrics_bind_address: BindAddress | None = field(
        default=BindAddress("", 8080), metadata=setting(BindAddress.parse, "LCA_METRICS_BIND_ADDRESS")
    )
    metrics_tls_cert_dir: Path | None = field(default=None, metadata=setting(_parse_path, "LCA_METRICS_TLS_CERT_DIR"))
    health_probe_bind_address: BindAddress | None = field(
        default=BindAddress("", 8081), metadata=setting(BindAddress.parse, "LCA_HEALTH_PROBE_BIND_ADDRESS")
    )
    leader_elect: bool = field(default=False, metadata=setting(parse_boolean, "LCA_LEADER_ELECT"))

    def configure_logging(self) -> None:
        """Log as asked for from now on."""
        configure_logging(
            self.log_format or ("json" if self.zap_devel is False else "text"),
            self.log_level or ("debug" if self.zap_devel else "info"),
            traceback_level=self.zap_stacktrace_level,
            time_format=self.zap_time_encoding,
        )


S = TypeVar("S", bound=ProcessSettings)


def load_settings(model: type[S], **flags: str | None) -> S:
    """Read `model` from the flags that were given (None: not given) and the environment. Raises SettingsError.

    An empty variable counts as not set.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for item in fields(model):
        place, text = f"--{item.name.replace('_', '-')}", flags.get(item.name)
        if text is None:
            place = next((name for name in item.metadata["variables"] if os.environ.get(name)), "")
            text = os.environ.get(place)
        if text is None:
            continue
        try:
            values[item.name] = item.metadata["parse"](text)
        except ValueError as error:
            problems.append(f"{place}: {error}")
    if problems:
        raise SettingsError("\n".join(problems))
    return model(**values)
