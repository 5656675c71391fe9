from agent.node.postpivot.labels import choose_labels

GIVEN = (
    *("beta.kubernetes.io/arch", "beta.kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/hostname"),
    *("kubernetes.io/os", "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"),
    *("node-role.kubernetes.io/worker", "node.openshift.io/os_id"),
)


def test_labels_that_others_set_are_left_out():
    assert choose_labels({**dict.fromkeys(GIVEN, "x"), "site": "edge-7", "node-role.kubernetes.io/infra": ""}) == {
        "site": "edge-7",
        "node-role.kubernetes.io/infra": "",
    }


def test_nothing_is_left_of_an_ordinary_node():
    assert choose_labels(dict.fromkeys(GIVEN, "")) == {}
