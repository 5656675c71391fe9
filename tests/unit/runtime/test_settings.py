"""Settings: flags win over the environment, all bad values at once."""

import os

import pytest

from agent.runtime.http_server import BindAddress
from agent.runtime.settings import ProcessSettings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("LCA_") or name in ("MY_POD_NAME", "POD_NAME", "HOSTNAME", "MY_POD_NAMESPACE"):
            monkeypatch.delenv(name)


def test_settings_without_anything_are_the_documented_defaults() -> None:
    settings = load_settings(ProcessSettings)
    assert settings.namespace == "openshift-lifecycle-agent"
    assert settings.metrics_bind_address == BindAddress("", 8080)
    assert settings.health_probe_bind_address == BindAddress("", 8081)
    assert not settings.leader_elect


def test_settings_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_POD_NAMESPACE", "openshift-operators")
    monkeypatch.setenv("HOSTNAME", "pod-by-hostname")
    settings = load_settings(ProcessSettings)
    assert (settings.namespace, settings.pod_name) == ("openshift-operators", "pod-by-hostname")


def test_settings_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_LOG_LEVEL", "debug")
    assert load_settings(ProcessSettings, log_level="error").log_level == "error"


def test_settings_empty_values_count_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_POD_NAMESPACE", "")
    monkeypatch.setenv("MY_POD_NAME", "")
    monkeypatch.setenv("HOSTNAME", "pod")
    settings = load_settings(ProcessSettings, kubeconfig="", metrics_tls_cert_dir="")
    assert (settings.namespace, settings.pod_name) == ("openshift-lifecycle-agent", "pod")
    assert (settings.kubeconfig, settings.metrics_tls_cert_dir) == (None, None)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("T", True), ("1", True), ("false", False), ("0", False)])
def test_settings_boolean_is_read_as_go_programs_do(text: str, value: bool) -> None:
    assert load_settings(ProcessSettings, leader_elect=text).leader_elect is value


@pytest.mark.parametrize(
    ("text", "level"), [("INFO", "info"), ("2", "debug"), ("panic", "critical"), ("warning", "warning")]
)
def test_settings_log_level_knows_words_and_verbosities(text: str, level: str) -> None:
    assert load_settings(ProcessSettings, log_level=text).log_level == level


def test_settings_bad_values_are_all_reported_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_POD_NAMESPACE", "Not A Namespace")
    monkeypatch.setenv("LCA_LOG_LEVEL", "loud")
    bad_flags = {
        "zap_devel": "perhaps",
        "zap_stacktrace_level": "0",
        "zap_time_encoding": "sundial",
        "metrics_bind_address": "nonsense",
    }
    with pytest.raises(SettingsError) as refused:
        load_settings(ProcessSettings, **bad_flags)
    places = {line.split(":")[0] for line in str(refused.value).splitlines()}
    flags = {f"--{name.replace('_', '-')}" for name in bad_flags}
    assert places == {"MY_POD_NAMESPACE", "LCA_LOG_LEVEL", *flags}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8081", BindAddress("", 8081)),
        ("127.0.0.1:0", BindAddress("127.0.0.1", 0)),
        ("[::1]:9", BindAddress("::1", 9)),
        ("0", None),
    ],
)
def test_bind_address_valid_text_is_parsed(text: str, address: BindAddress | None) -> None:
    assert BindAddress.parse(text) == address


@pytest.mark.parametrize("text", ["", "8081", ":", ":x", ":70000", "host:-1"])
def test_bind_address_invalid_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="listen address"):
        BindAddress.parse(text)
