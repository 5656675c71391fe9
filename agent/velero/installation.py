"""Is OADP installed? (ibu-api.md 6.3 part 4, prep.md 4.2)"""

from __future__ import annotations

from agent.kube import Client, Kind, errors
from agent.velero.content import get_name
from agent.velero.names import OADP_NAMESPACE

SERVICE_VERSION = Kind("operators.coreos.com", "v1alpha1", "ClusterServiceVersion")
CRD = Kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
_CSV_PART = "oadp-operator"
_CRD_SUFFIX = "oadp.openshift.io"


def is_oadp_installed(client: Client) -> bool:
    """Tell whether the operator and its CRDs are there; what can not be looked up counts as absent.

    Raises transient ApiErrors.
    """
    try:
        versions = client.list(SERVICE_VERSION, OADP_NAMESPACE)
        return any(_CSV_PART in get_name(v) for v in versions) and any(
            get_name(crd).endswith(_CRD_SUFFIX) for crd in client.list(CRD)
        )
    except errors.Transient:
        raise
    except errors.ApiError:
        return False
