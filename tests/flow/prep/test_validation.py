"""What stops Prep before anything is done to the node, each class once, in the words of prep.md 4."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.flow.prep.conftest import SECRET_TEXT
from tests.flow.prep.manifests import BACKUP, RESTORE, config_map, make, secret
from tests.flow.prep.upgrade import NAMESPACE, Upgrade, get_message, is_failed, list_conditions

SPEC = "failed to validate IBU spec: "
EXTRA = f"{SPEC}failed to validate extramanifest cms: "
OADP = f"{SPEC}failed to validate oadp configMap: "
SEED = "failed to validate seed image info: "
COMPATIBILITY = f"{SEED}checking seed image compatibility: "
DECODING = "failed to decode manifests.yaml in the configMap extra: "
COUNT = "lca.openshift.io/target-ocp-version-manifest-count"
UNPAIRED = (
    "Both backup and restore CRs should be specified in OADP configmaps and each backup CR should be paired with a "
    "corresponding restore CR."
)


def fail(upgrade: Upgrade, **prepare: object) -> str:
    """Ask for a Prep that must fail; return why it did. The node stays as it was."""
    last = upgrade.prepare(is_failed, **prepare)[-1]  # type: ignore[arg-type]
    assert [condition[:3] for condition in list_conditions(last)] == [
        ("Idle", "False", "InProgress"),
        ("PrepCompleted", "False", "Failed"),
        ("PrepInProgress", "False", "Failed"),
    ]
    assert get_message(last, "PrepCompleted") == "Prep failed"
    assert last["status"]["validNextStages"] == ["Idle"]
    assert upgrade.list_files("/ostree/deploy/rhcos_*") == []
    return get_message(last, "PrepInProgress")


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("4.15.0", "seed OCP version (4.15.0) must be higher than current OCP version (4.15.0)"),
        ("4.16", "failed to parse seed version 4.16: 4.16 is not in dotted-tri format"),
    ],
    ids=["not higher", "malformed"],
)
def test_version_that_is_no_upgrade_fails(upgrade: Upgrade, version: str, reason: str) -> None:
    assert fail(upgrade, version=version) == f"{SPEC}failed to validate seed image OCP version: {reason}"


def test_seed_of_another_version_than_asked_for_fails(upgrade: Upgrade) -> None:
    reason = "version specified in seed image (4.16.1) differs from version in spec (4.16.2)"
    assert fail(upgrade, version="4.16.2") == COMPATIBILITY + reason


def test_unknown_tag_of_the_seed_image_fails(upgrade: Upgrade) -> None:
    message = fail(upgrade, image=upgrade.image.replace(":4.16.1", ":4.16.7"))
    assert message.startswith(f"{SEED}failed to get seed image labels: failed to inspect image: ")
    assert "manifest unknown" in message


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            "no-label",
            "seed image is missing the com.openshift.lifecycle-agent.seed_format_version label, please build a new "
            "image using the latest version of the lca-cli",
        ),
        ("wrong-format", "seed image format version mismatch: expected 4, got 3"),
        ("wrong-version", "version specified in seed image (4.99.0) differs from version in spec (4.16.1)"),
        (
            "proxy",
            "seed image has a proxy but the cluster being upgraded does not, this combination is not supported",
        ),
        (
            "fips",
            "seed image has FIPS enabled but the cluster being upgraded does not, this combination is not supported",
        ),
        ("storage", "container storage mountpoint target mismatch: seed=/dev/other, cluster={device}"),
    ],
    ids=["no label", "format", "version", "proxy", "fips", "storage"],
)
def test_seed_that_does_not_fit_fails(
    upgrade: Upgrade, make_image: Callable[[str], str], broken: str, reason: str
) -> None:
    device = upgrade.run("sed", "-n", "s/^What=//p", "/etc/systemd/system/var-lib-containers.mount").stdout.strip()
    assert fail(upgrade, image=make_image(broken)) == COMPATIBILITY + reason.format(device=device)


def test_missing_config_maps_are_reported_together(upgrade: Upgrade) -> None:
    missing = [{"name": "nowhere", "namespace": NAMESPACE}]
    not_found = 'failed to get configMap configmaps "nowhere" not found'
    assert fail(upgrade, oadpContent=missing, extraManifests=missing) == (
        f"{OADP}OADP configmap not found, error: {not_found}. Please create the configmap.; "
        f"{EXTRA}the extraManifests configMap is not found, error: {not_found}. Please create the configMap."
    )


BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghij")
)
EXTRA_MANIFESTS = {
    "machine config": (
        make("machineconfiguration.openshift.io/v1", "MachineConfig", "99-worker"),
        "MachineConfig[99-worker] in extramanifests is not allowed",
    ),
    "subscription": (
        make("operators.coreos.com/v1alpha1", "Subscription", "sub", NAMESPACE),
        "Subscription[sub] in extramanifests is not allowed",
    ),
    "no name": (config_map(""), "ConfigMap resource name is empty"),
    "no yaml": (
        "a: b: c",
        f"{DECODING}error converting YAML to JSON: yaml: line 1: mapping values are not allowed in this context",
    ),
    "no kind": (
        f"apiVersion: v1\nstringData: {{password: {SECRET_TEXT}}}",
        f"{DECODING}error unmarshaling JSON: while decoding JSON: Object 'Kind' is missing in "
        '\'{"apiVersion":"v1","stringData":"..."}\'',
    ),
    "bad wave": (
        config_map("late", annotations={"lca.openshift.io/apply-wave": "soon"}),
        'failed to sort and group manifests: error convert: strconv.Atoi: parsing "soon": invalid syntax',
    ),
    "bomb": (BOMB, f"{DECODING}error converting YAML to JSON: yaml: line 5: document contains excessive aliasing"),
    "key twice": (
        "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: a}",
        f'{DECODING}error converting YAML to JSON: yaml: line 3: mapping key "kind" already defined',
    ),
    "two problems": (
        secret("mine") + "---\n- list\n---\n" + make("machineconfiguration.openshift.io/v1", "MachineConfig", "mc"),
        f"{DECODING}error unmarshaling JSON: while decoding JSON: a list is not an object; "
        f"{EXTRA}MachineConfig[mc] in extramanifests is not allowed",
    ),
}


@pytest.mark.parametrize("case", EXTRA_MANIFESTS)
def test_bad_extra_manifest_fails(upgrade: Upgrade, case: str) -> None:
    content, reason = EXTRA_MANIFESTS[case]
    assert fail(upgrade, extraManifests=upgrade.put_config_map("extra", content)) == EXTRA + reason


def test_config_map_of_one_mebibyte_of_bad_documents_fails_with_a_bounded_message(upgrade: Upgrade) -> None:
    document = f"---\npassword: {SECRET_TEXT}\n"
    content = document * (1024 * 1024 // len(document) - 100)
    message = fail(upgrade, extraManifests=upgrade.put_config_map("extra", content))
    assert message.startswith(
        f"{EXTRA}{DECODING}error unmarshaling JSON: while decoding JSON: Object 'Kind' is missing in"
    )
    assert len(message) <= 32768


OADP_CONTENT = {
    "restore without backup": (RESTORE, "The backup CR apps defined in restore CR apps not found in OADP configmaps"),
    "backup without restore": (BACKUP, UNPAIRED),
    "apply-label": (
        BACKUP.replace("name: apps", "name: apps\n  annotations: {lca.openshift.io/apply-label: v1/secrets}")
        + "---\n"
        + RESTORE,
        "invalid apply-label obj in annotation value: v1/secrets",
    ),
    "apply-label of nothing": (
        BACKUP.replace("name: apps", "name: apps\n  annotations: {lca.openshift.io/apply-label: v1/secrets/default/no}")
        + "---\n"
        + RESTORE,
        "failed apply backup label to objects included in apply-backup annotation: failed to patch object: "
        'secrets "no" not found',
    ),
    "bad wave": (
        BACKUP
        + "---\n"
        + RESTORE.replace("name: apps", 'name: apps\n  annotations: {lca.openshift.io/apply-wave: "x"}'),
        "Restore apps: annotation lca.openshift.io/apply-wave: error convert: "
        'strconv.Atoi: parsing "x": invalid syntax',
    ),
}


@pytest.mark.parametrize("case", OADP_CONTENT)
def test_bad_oadp_content_fails(upgrade: Upgrade, case: str) -> None:
    content, reason = OADP_CONTENT[case]
    assert fail(upgrade, oadpContent=upgrade.put_config_map("oadp", content)) == OADP + reason


def test_count_of_policy_manifests_that_is_wrong_fails(upgrade: Upgrade) -> None:
    upgrade.annotate(bool, **{COUNT: "3"})
    assert fail(upgrade) == (
        f"{SPEC}failed to validate manifests from policies: "
        "The labeled manifests count found in policies 0 does not match the expected manifests count 3"
    )


def test_problems_of_different_kinds_are_reported_together(upgrade: Upgrade, make_image: Callable[[str], str]) -> None:
    upgrade.annotate(bool, **{COUNT: "1"})
    machine_config = make("machineconfiguration.openshift.io/v1", "MachineConfig", "mc")
    message = fail(
        upgrade, extraManifests=upgrade.put_config_map("extra", machine_config), image=make_image("wrong-version")
    )
    assert message.split("; ") == [
        f"{EXTRA}MachineConfig[mc] in extramanifests is not allowed",
        f"{SPEC}failed to validate manifests from policies: The labeled manifests count found in policies 0 does not "
        "match the expected manifests count 1",
        f"{COMPATIBILITY}version specified in seed image (4.99.0) differs from version in spec (4.16.1)",
    ]
