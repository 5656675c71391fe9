"""The CRDs are applied to the real API server as a user does it: plain `kubectl apply -f`, from the folder documented
for the server's version. Each test has its own ImageBasedUpgrade `upgrade`; nothing reconciles it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from crds.base import Object

Kubectl = Callable[..., str]
PutStatus = Callable[[Object], Object]


@pytest.fixture
def put_status(kubectl: Kubectl) -> PutStatus:
    """PUT on the status subresource; returns the object as stored."""
    path = "/apis/lca.openshift.io/v1/imagebasedupgrades/upgrade/status"

    def put(ibu: Object) -> Object:
        stored: Object = json.loads(kubectl("replace", "--raw", path, "-f", "-", stdin=ibu))
        return stored

    return put
