"""recert's configuration file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator


class ConfigError(Exception):
    """The configuration is refused; no summary is written then."""


def _check_pair(rule: str) -> str:
    if rule.count(",") != 1:
        raise ValueError(f"expected exactly one comma in replace rule {rule!r}")
    return rule


def _check_key_rule(rule: str) -> str:
    if rule.count(" ") != 1 and not (" " not in rule and rule.count(":") == 1):
        raise ValueError(f"expected exactly one blank, or one colon, in use-key rule {rule!r}")
    return rule


PairRule = Annotated[str, AfterValidator(_check_pair)]
KeyRule = Annotated[str, AfterValidator(_check_key_rule)]


class RecertConfig(BaseModel):
    """All keys that recert knows; an unknown one is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    etcd_endpoint: str | None = None
    crypto_dirs: list[Path] = []
    crypto_files: list[Path] = []
    cluster_customization_dirs: list[Path] = []
    cluster_customization_files: list[Path] = []
    cluster_rename: str | None = None
    hostname: str | None = None
    ip: list[str] | str | None = None
    machine_network_cidr: list[str] | str | None = None
    proxy: str | None = None
    user_ca_bundle: str | None = None
    proxy_trusted_ca_bundle: str | None = None
    install_config: str | None = None
    pull_secret: str | None = None
    chrony_config: str | None = None
    kubeadmin_password_hash: str | None = None
    extend_expiration: bool = False
    force_expire: bool = False
    etcd_defrag: bool = False
    ip_change_only: bool = False
    dry_run: bool = False
    threads: int | None = None
    summary_file: Path | None = None
    summary_file_clean: Path | None = None
    regenerate_server_ssh_keys: Path | None = None
    use_key_rules: list[KeyRule] = []
    use_cert_rules: list[Path] = []
    cn_san_replace_rules: list[PairRule] = []

    @model_validator(mode="after")
    def _expiration_has_one_direction(self) -> RecertConfig:
        if self.extend_expiration and self.force_expire:
            raise ValueError("extend_expiration and force_expire exclude each other")
        return self

    @property
    def addresses(self) -> list[str]:
        """New addresses of the node, in order."""
        return [self.ip] if isinstance(self.ip, str) else self.ip or []

    @property
    def key_files(self) -> dict[str, Path]:
        """Common name of a certificate -> file with the key that it shall get."""
        split = (rule.split(" " if " " in rule else ":", 1) for rule in self.use_key_rules)
        return {name: Path(path) for name, path in split}

    @property
    def renames(self) -> dict[str, str]:
        """Old -> new common and alternative names of certificates."""
        return dict(rule.split(",", 1) for rule in self.cn_san_replace_rules)


def read_config(path: Path) -> RecertConfig:
    """Read and check the file. Raises ConfigError that names all problems, without their values."""
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        return RecertConfig.model_validate(values)
    except (OSError, ValueError) as error:
        problems = error.errors(include_input=False, include_url=False) if isinstance(error, ValidationError) else []
        text = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems)
        raise ConfigError(f"{path}: {text or error}") from error
