"""The machine approver: lets the node's own certificate requests pass, as on a node that joins."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from agent.kube import Client, Kind, Object
from sandbox.cluster.following import follow
from sandbox.cluster.kubelet.status import format_time

CSR = Kind("certificates.k8s.io", "v1", "CertificateSigningRequest")
_NODE_SIGNERS = ("kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving")


class MachineApprover:
    """Approves what kubelets ask for; other requests wait for a person."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def run(self, stop: threading.Event) -> None:
        """Follow the requests until `stop`."""
        for event in follow(self._client, CSR, stop):
            if event.type != "DELETED" and needs_approval(event.object):
                self._approve(event.object)

    def _approve(self, request: Object) -> None:
        now = format_time(datetime.now(UTC))
        approved = {
            "type": "Approved",
            "status": "True",
            "reason": "NodeCSRApprove",
            "message": "This CSR was approved by the Node CSR Approver",
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
        name = request["metadata"]["name"]
        patch = {"status": {"conditions": [*(request["status"].get("conditions") or []), approved]}}
        self._client.patch_merge(CSR, name, patch, subresource="approval")


def needs_approval(request: Object) -> bool:
    """Whether a request is a node's and nobody has decided about it."""
    return request["spec"].get("signerName") in _NODE_SIGNERS and not request["status"].get("conditions")
