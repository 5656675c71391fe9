import pytest

from sandbox.cluster.content.kinds import crd_documents, expand_kind
from sandbox.cluster.content.objects import expand_documents, object_documents


class AnyVariable(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def test_kind_with_condition_column_shows_the_status_of_that_condition() -> None:
    crd = expand_kind({"group": "a.io"}, {"kind": "Proxy", "plural": "proxies", "columns": [{"condition": "Ready"}]})
    (column,) = crd["spec"]["versions"][0]["additionalPrinterColumns"]
    assert column == {"name": "Ready", "jsonPath": '.status.conditions[?(@.type=="Ready")].status', "type": "string"}
    assert crd["metadata"]["name"] == "proxies.a.io"


def test_kinds_of_a_first_boot_are_distinct_and_hold_the_own_ones() -> None:
    names = [crd["metadata"]["name"] for crd in crd_documents()]
    assert len(names) == len(set(names))
    assert {"imagebasedupgrades.lca.openshift.io", "clusterversions.config.openshift.io"} <= set(names)


def test_objects_of_a_first_boot_come_after_their_namespaces() -> None:
    known = {"kube-system", "default"}
    for document in object_documents(AnyVariable()):
        if document["kind"] == "Namespace":
            known.add(document["metadata"]["name"])
        assert document["metadata"].get("namespace", "default") in known, document["metadata"]


def test_objects_with_unknown_variable_are_refused() -> None:
    with pytest.raises(KeyError, match="minor_version"):
        object_documents({})


def test_list_document_gives_its_kind_to_its_items() -> None:
    text = "apiVersion: v1\nkind: NamespaceList\nitems: [{metadata: {name: a}}, {metadata: {name: b}}]\n---\n"
    assert [(d["kind"], d["metadata"]["name"]) for d in expand_documents(text)] == [
        ("Namespace", "a"),
        ("Namespace", "b"),
    ]
