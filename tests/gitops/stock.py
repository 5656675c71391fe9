"""The objects that a fleet's hub ships, as test data: the policies of an upgrade and the source CRs (F.5, G)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.gitops.policy import Object, Policy

_DATA = Path(__file__).with_name("data")
HUB_NAMESPACE = "ztp-group"


def make_policies(
    version: str, image: str, *, oadp_content: Sequence[Mapping[str, str]] | None = None
) -> dict[str, Policy]:
    """The policies of one upgrade by short name: oadp-cm, prep, upgrade, finalize, rollback.

    `oadp_content` takes the place of the stock one; an empty list leaves the field out.
    """
    text = (_DATA / "policies.yaml").read_text().replace("<version>", version).replace("<image>", image)
    templates = yaml.safe_load(text)
    if oadp_content is not None:
        spec = templates["prep"][0]["objectDefinition"]["spec"]
        del spec["oadpContent"]
        if oadp_content:
            spec["oadpContent"] = [dict(item) for item in oadp_content]
    return {name: Policy.read(make_policy(f"group-ibu-{name}-policy", items)) for name, items in templates.items()}


def make_policy(
    name: str, object_templates: Sequence[Object], *, namespace: str = HUB_NAMESPACE, **spec: Any
) -> Object:
    """A Policy object with one ConfigurationPolicy, as the hub's generator writes it."""
    api = {"apiVersion": "policy.open-cluster-management.io/v1"}
    every = {"compliant": "10s", "noncompliant": "10s"}
    configuration = {
        "remediationAction": "inform",
        "severity": "low",
        "evaluationInterval": every,
        "object-templates": list(object_templates),
    }
    definition = {**api, "kind": "ConfigurationPolicy", "metadata": {"name": f"{name}-config"}, "spec": configuration}
    return {
        **api,
        "kind": "Policy",
        "metadata": {"name": name, "namespace": namespace, "annotations": {}},
        "spec": {
            "remediationAction": "inform",
            "disabled": False,
            "policy-templates": [{"objectDefinition": definition}],
            **spec,
        },
    }


def bind_policy(policy: Object, site: str, wave: str | None) -> Object:
    """The child that the hub puts onto a site: `<namespace>.<name>` in the site's namespace, with its wave."""
    parent = policy["metadata"]
    metadata = {
        **json.loads(json.dumps(parent)),
        "name": f"{parent['namespace']}.{parent['name']}",
        "namespace": site,
        "labels": {"policy.open-cluster-management.io/root-policy": f"{parent['namespace']}.{parent['name']}"},
    }
    if wave is not None:
        metadata["annotations"]["ran.openshift.io/ztp-deploy-wave"] = wave
    return {**json.loads(json.dumps(policy)), "metadata": metadata}


def read_source_crs(name: str) -> list[Object]:
    """The objects of one source CR file, e.g. `PlatformBackupRestore`."""
    return list(yaml.safe_load_all((_DATA / f"{name}.yaml").read_text()))
