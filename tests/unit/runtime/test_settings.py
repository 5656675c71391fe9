"""Settings: flags win over the environment, all bad values at once."""

import pytest

from agent.runtime.http_server import BindAddress
from agent.runtime.settings import ProcessSettings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MY_POD_NAME", "POD_NAME", "HOSTNAME", "MY_POD_NAMESPACE", "LCA_LOG_FORMAT", "LCA_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


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


def test_settings_several_bad_values_are_all_reported_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_POD_NAMESPACE", "Not A Namespace")
    monkeypatch.setenv("LCA_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as refused:
        load_settings(ProcessSettings, metrics_bind_address="nonsense")
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["MY_POD_NAMESPACE", "LCA_LOG_LEVEL", "--metrics-bind-address"]


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
