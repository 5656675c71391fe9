"""Seed images that can not be looked at: what is final, what is tried again, and that no credential is told."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent.ibu.prep.seed_check import SEED_AUTH_FILE, SeedUnavailableError, check_seed_image
from agent.kube import Client, Kind, errors
from hostops.hostroot import HostRoot
from tests.api.prep.conftest import MakeContext

NAMESPACE = Kind("", "v1", "Namespace")
SECRET = Kind("", "v1", "Secret")
OPERATOR_NAMESPACE = "openshift-lifecycle-agent"
CONTENT = "s3cr3t-c0ntent"
PREFIX = "failed to get seed image labels: "

PutSecret = Callable[[str, dict[str, str]], dict[str, str]]


@pytest.fixture
def put_secret(client: Client) -> Iterator[PutSecret]:
    """Make a Secret in the operator's namespace; return the reference for the spec."""
    made = []
    try:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}})
    except errors.AlreadyExists:
        assert client.get(NAMESPACE, OPERATOR_NAMESPACE)

    def put(name: str, data: dict[str, str]) -> dict[str, str]:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        metadata = {"name": name, "namespace": OPERATOR_NAMESPACE}
        client.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded})
        made.append(name)
        return {"name": name}

    yield put
    for name in made:
        client.delete(SECRET, name, OPERATOR_NAMESPACE)


def check(make_context: MakeContext, image: str, **seed: Any) -> list[str]:
    context = make_context(seedImageRef={"version": "4.16.1", "image": image, **seed})
    return check_seed_image(context, "/dev/x").problems


def test_registry_that_refuses_is_asked_again_later(make_context: MakeContext) -> None:
    with pytest.raises(SeedUnavailableError, match="^failed to validate seed image info: .*connection refused"):
        check(make_context, "127.0.0.1:1/org/seed:1")


@pytest.mark.parametrize("image", ["UPPER/case:1", "127.0.0.1:1/org/seed:1\u00a0", "oci-archive:///etc/passwd", "-x"])
def test_image_that_can_not_exist_is_final(make_context: MakeContext, image: str) -> None:
    (problem,) = check(make_context, image)
    assert problem.startswith(f"{PREFIX}failed to inspect image: ")


def test_missing_pull_secret_is_final(make_context: MakeContext) -> None:
    text = 'failed to retrieve pull-secret from secret nowhere, err: secrets "nowhere" not found'
    assert check(make_context, "127.0.0.1:1/org/seed:1", pullSecretRef={"name": "nowhere"}) == [PREFIX + text]


def test_pull_secret_without_its_key_is_final(make_context: MakeContext, put_secret: PutSecret) -> None:
    reference = put_secret("keyless", {"other": CONTENT})
    text = "failed to retrieve pull-secret from secret keyless, err: did not find key .dockerconfigjson in Secret "
    problems = check(make_context, "127.0.0.1:1/org/seed:1", pullSecretRef=reference)
    assert problems == [f"{PREFIX}{text}keyless/{OPERATOR_NAMESPACE}"]


@pytest.mark.parametrize(
    "content", [CONTENT, f'{{"auths": "{CONTENT}"}}', f'{{"auths": {{"127.0.0.1:1": {{"auth": "{CONTENT}"}}}}}}']
)
def test_pull_secret_that_is_no_auth_file_tells_nothing_of_its_content(
    make_context: MakeContext,
    put_secret: PutSecret,
    root: HostRoot,
    content: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    reference = put_secret("rubbish", {".dockerconfigjson": content})
    with pytest.raises(SeedUnavailableError) as told:
        check(make_context, "127.0.0.1:1/org/seed:1", pullSecretRef=reference)
    assert CONTENT not in str(told.value) + caplog.text
    assert not root.path(SEED_AUTH_FILE).exists()
