"""Mirror objects as one list (upgrade-and-oadp.md 9.2)."""

from agent.ibu.prepivot.mirrors import compose_list
from seeds.cluster import CONTENT_SOURCE_POLICY


def test_list_holds_what_another_cluster_needs() -> None:
    metadata = {"name": "x", "uid": "u", "labels": {"a": "b"}, "generation": 1}
    made = compose_list(CONTENT_SOURCE_POLICY, [{"metadata": metadata, "spec": {"s": 1}, "status": {"t": 2}}])
    assert made == {
        "kind": "ImageContentSourcePolicyList",
        "apiVersion": "operator.openshift.io/v1alpha1",
        "metadata": {},
        "items": [
            {
                "apiVersion": "operator.openshift.io/v1alpha1",
                "kind": "ImageContentSourcePolicy",
                "metadata": {"name": "x", "labels": {"a": "b"}},
                "spec": {"s": 1},
            }
        ],
    }
