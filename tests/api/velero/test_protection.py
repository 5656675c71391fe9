"""DataProtectionApplication and Secrets: out of one release, into the next (upgrade-and-oadp.md 7.1, 11)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.kube import Client, errors
from agent.velero.handed_over import HandoverError, load_restores, save_protection, save_restores
from agent.velero.names import DATA_PROTECTION, OADP_NAMESPACE, SECRET
from agent.velero.protection import (
    MissingSecretError,
    Protection,
    ProtectionError,
    export_protection,
    find_missing_application,
    restore_application,
    restore_secrets,
)

Put = Callable[..., Any]
NOT_STORED = "failed to get stored DataProtectionApplication: "


def location(secret: str | None = None, **more: Any) -> Any:
    velero = {"provider": "aws", "objectStorage": {"bucket": "b"}, **more}
    return {"velero": {**velero, "credential": {"name": secret, "key": "cloud"}} if secret else velero}


def names_of(protection: Protection) -> list[str]:
    return [secret["metadata"]["name"] for secret in protection.secrets]


def write(path: Path, obj: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(obj))


def stored(kind: str, name: str, **content: Any) -> Any:
    api = "v1" if kind == "Secret" else "oadp.openshift.io/v1alpha1"
    metadata = {"name": name, "namespace": OADP_NAMESPACE, "creationTimestamp": None}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}


def test_cluster_without_application_has_nothing_to_export(client: Client) -> None:
    assert export_protection(client) == Protection()


def test_application_and_its_secrets_are_exported_without_what_belongs_to_the_cluster(
    client: Client, put_application: Put, put_secret: Put, name: str
) -> None:
    for secret in ("first", "second"):
        put_secret(f"{name}-{secret}")
    put_application(name, location(f"{name}-first"), location(f"{name}-second"))
    client.update_status({**client.get(DATA_PROTECTION, name, OADP_NAMESPACE), "status": {"conditions": []}})
    protection = export_protection(client)
    assert protection.application is not None
    assert "status" not in protection.application
    for obj in (protection.application, *protection.secrets):
        assert set(obj["metadata"]) == {"name", "namespace"}
    assert names_of(protection) == [f"{name}-first", f"{name}-second"]
    assert protection.secrets[0]["data"] == {"cloud": "c2VjcmV0"}
    assert protection.secrets[0]["type"] == "Opaque"


def test_default_secret_is_exported_where_none_is_named(
    client: Client, put_application: Put, put_secret: Put, name: str
) -> None:
    put_application(name, location())
    assert names_of(export_protection(client)) == [], "identities need no secret"
    put_secret("cloud-credentials")
    assert names_of(export_protection(client)) == ["cloud-credentials"]


def test_application_without_locations_is_exported(client: Client, put: Put, name: str) -> None:
    put(DATA_PROTECTION, name, spec={"configuration": {"velero": {"noDefaultBackupLocation": True}}})
    protection = export_protection(client)
    assert protection.application
    assert protection.secrets == ()


def test_missing_secrets_are_named_together(client: Client, put_application: Put, name: str) -> None:
    put_application(name, location("gone-1"), location("gone-2"))
    text = 'failed to get storageSecret: secrets "gone-1" not found, secrets "gone-2" not found'
    with pytest.raises(MissingSecretError, match=f"^{text}$"):
        export_protection(client)


def test_two_applications_can_not_be_exported(client: Client, put_application: Put, name: str) -> None:
    for number in (1, 2):
        put_application(f"{name}-{number}", location())
    with pytest.raises(
        ProtectionError, match="^Only one DataProtectionApplication CR is allowed in the openshift-adp$"
    ):
        export_protection(client)


def test_stored_files_have_the_documented_names_and_nothing_old_survives(tmp_path: Path) -> None:
    application, secret = stored("DataProtectionApplication", "dpa"), stored("Secret", "keys", data={"k": "dg=="})
    write(tmp_path / "secret/old.yaml", secret)
    save_protection(tmp_path / "dpa", tmp_path / "secret", Protection(application, (secret,)))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.yaml")) == [
        "dpa/dpa.yaml",
        "secret/keys.yaml",
    ]
    assert json.loads((tmp_path / "secret/keys.yaml").read_text()) == secret
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.yaml")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o700}


def test_nothing_to_store_makes_no_folder(tmp_path: Path) -> None:
    save_protection(tmp_path / "dpa", tmp_path / "secret", Protection())
    assert list(tmp_path.iterdir()) == []


def test_application_that_is_gone_since_the_last_pass_leaves_an_empty_folder(tmp_path: Path) -> None:
    write(tmp_path / "dpa/old.yaml", stored("DataProtectionApplication", "old"))
    save_protection(tmp_path / "dpa", tmp_path / "secret", Protection())
    assert list((tmp_path / "dpa").iterdir()) == []


def test_restores_are_stored_by_wave_and_name_and_read_back(tmp_path: Path) -> None:
    def restore(name: str, wave: int) -> Any:
        annotations = {"lca.openshift.io/apply-wave": str(wave)}
        metadata = {"name": name, "namespace": "openshift-adp", "annotations": annotations}
        return {"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": metadata, "spec": {"backupName": "b"}}

    restores = [restore(f"restore{number:02}", (number + 1) // 2) for number in range(22, 0, -1)]
    save_restores(tmp_path / "veleroRestore", restores)
    files = sorted(str(path.relative_to(tmp_path / "veleroRestore")) for path in tmp_path.rglob("*.yaml"))
    assert files[0] == "restore01/1_restore01_openshift-adp.yaml"
    assert files[-1] == "restore11/2_restore22_openshift-adp.yaml"
    assert load_restores(tmp_path / "veleroRestore") == [
        [restore(f"restore{wave * 2 - 1:02}", wave), restore(f"restore{wave * 2:02}", wave)] for wave in range(1, 12)
    ]


def test_restores_of_another_build_are_read_in_numeric_order(tmp_path: Path) -> None:
    for group, number, name in ((10, 1, "d"), (2, 10, "c"), (2, 2, "b"), (2, 1, "a")):
        metadata = f"metadata: {{name: {name}, creationTimestamp: null}}"
        text = f"kind: Restore\napiVersion: velero.io/v1\n{metadata}\nstatus: {{}}\n"
        path = tmp_path / f"restore{group}/{number}_{name}_openshift-adp.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    names = [[restore["metadata"]["name"] for restore in group] for group in load_restores(tmp_path)]
    assert names == [["a", "b", "c"], ["d"]]


def test_damaged_restore_is_named(tmp_path: Path) -> None:
    (tmp_path / "restore1").mkdir()
    (tmp_path / "restore1/1_x_y.yaml").write_text("a: b: c")
    with pytest.raises(HandoverError, match=r"restore1/1_x_y\.yaml: error converting YAML"):
        load_restores(tmp_path)


def test_secrets_are_created_and_replaced(client: Client, put_secret: Put, tmp_path: Path, name: str) -> None:
    put_secret(f"{name}-old")
    for secret in ("old", "new"):
        write(tmp_path / f"{secret}.yaml", stored("Secret", f"{name}-{secret}", data={"cloud": "bmV3"}, type="Opaque"))
    (tmp_path / ".half.new").write_text("no: secret: yet")
    (tmp_path / "folder").mkdir()
    for _ in range(2):
        restore_secrets(client, tmp_path)
    for secret in ("old", "new"):
        assert client.get(SECRET, f"{name}-{secret}", OADP_NAMESPACE)["data"] == {"cloud": "bmV3"}
    client.delete(SECRET, f"{name}-new", OADP_NAMESPACE)


def test_secrets_that_can_not_be_restored_are_named_together_and_the_others_are(
    client: Client, tmp_path: Path, name: str
) -> None:
    (tmp_path / "1.yaml").write_text("a: b: c")
    write(tmp_path / "2.yaml", {**stored("Secret", name), "metadata": {"name": name, "namespace": "nowhere"}})
    write(tmp_path / "3.yaml", stored("Secret", name))
    with pytest.raises(ProtectionError) as caught:
        restore_secrets(client, tmp_path)
    text = str(caught.value)
    assert text.startswith(f"failed to restore OADP secrets: {tmp_path}/1.yaml: error converting YAML to JSON: ")
    assert (
        f'; {tmp_path}/2.yaml: failed to create manifest Secret called {name}: namespaces "nowhere" not found' in text
    )
    client.delete(SECRET, name, OADP_NAMESPACE)


@pytest.mark.parametrize("exists", [True, False], ids=["empty", "absent"])
def test_nothing_stored_is_nothing_to_restore(client: Client, tmp_path: Path, exists: bool) -> None:
    directory = tmp_path if exists else tmp_path / "none"
    restore_secrets(client, directory)
    restore_application(client, directory)
    assert find_missing_application(client, directory) is None


def test_application_is_restored_without_status_and_found(client: Client, tmp_path: Path, name: str) -> None:
    spec = {"configuration": {"velero": {}}, "backupLocations": [location("s")]}
    write(tmp_path / f"{name}.yaml", stored("DataProtectionApplication", name, spec=spec, status={"conditions": []}))
    assert find_missing_application(client, tmp_path) == name
    for _ in range(2):
        restore_application(client, tmp_path)
    assert find_missing_application(client, tmp_path) is None
    live = client.get(DATA_PROTECTION, name, OADP_NAMESPACE)
    assert live["spec"] == spec
    assert "status" not in live
    client.delete(DATA_PROTECTION, name, OADP_NAMESPACE)


def test_application_exported_and_restored_is_the_same(
    client: Client, put_application: Put, put_secret: Put, tmp_path: Path, name: str
) -> None:
    put_secret(name)
    before = put_application(name, location(name, config={"profile": "default", "yes": "no"}))
    save_protection(tmp_path / "dpa", tmp_path / "secret", export_protection(client))
    client.delete(DATA_PROTECTION, name, OADP_NAMESPACE)
    client.delete(SECRET, name, OADP_NAMESPACE)
    restore_secrets(client, tmp_path / "secret")
    restore_application(client, tmp_path / "dpa")
    after = client.get(DATA_PROTECTION, name, OADP_NAMESPACE)
    assert after["spec"] == before["spec"]
    assert client.get(SECRET, name, OADP_NAMESPACE)["data"] == {"cloud": "c2VjcmV0"}


def test_two_stored_applications_are_an_error(client: Client, tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / f"{number}.yaml", stored("DataProtectionApplication", str(number)))
    text = f"{NOT_STORED}found more than one DataProtectionApplication yamls in {tmp_path}"
    with pytest.raises(ProtectionError, match=f"^failed to restore OADP DataProtectionApplication: {text}$"):
        restore_application(client, tmp_path)
    with pytest.raises(ProtectionError, match=f"^{text}$"):
        find_missing_application(client, tmp_path)


def test_folder_in_place_of_the_application_is_an_error(client: Client, tmp_path: Path) -> None:
    (tmp_path / "dpa.yaml").mkdir()
    with pytest.raises(ProtectionError, match=f"{NOT_STORED}{tmp_path}/dpa.yaml is a directory instead of file$"):
        restore_application(client, tmp_path)


@pytest.mark.parametrize(
    "content", ["a: b: c", "", "# nothing\n", "\0\0\0"], ids=["broken", "empty", "comment", "zeros"]
)
def test_damaged_application_is_an_error_that_names_the_file(client: Client, tmp_path: Path, content: str) -> None:
    (tmp_path / "dpa.yaml").write_text(content)
    with pytest.raises(ProtectionError, match=f"^{NOT_STORED}{tmp_path}/dpa.yaml: "):
        find_missing_application(client, tmp_path)


def test_cluster_that_does_not_answer_is_no_missing_application(nowhere: Client, tmp_path: Path) -> None:
    write(tmp_path / "dpa.yaml", stored("DataProtectionApplication", "dpa"))
    with pytest.raises(errors.NotConnected):
        find_missing_application(nowhere, tmp_path)
