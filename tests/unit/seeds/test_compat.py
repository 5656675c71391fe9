from dataclasses import replace

import pytest

from seeds.compat import ClusterFacts, Severity, check_cluster, check_labels
from seeds.format import FORMAT_LABEL, INFO_LABEL, CpuTopology, SeedClusterInfo, SeedFormatError, TrustBundle

TARGET = "/dev/disk/by-partlabel/var-lib-containers"
FACTS = ClusterFacts(has_proxy=False, has_fips=False, trust_bundle=TrustBundle(), container_storage_target=TARGET)
INFO = SeedClusterInfo(version="4.15.3", trust_bundle=TrustBundle(), container_storage_target=TARGET)
CHECKING = "checking seed image compatibility: "
TRUST = "checking seed image additional trust bundle compatibility: "
UNSUPPORTED = ", this combination is not supported"


def labels(info=INFO, version="4"):
    return {FORMAT_LABEL: version, INFO_LABEL: info.dump()}


def errors(problems):
    return [problem.text for problem in problems if problem.severity is Severity.ERROR]


def warnings(problems):
    return [problem.text for problem in problems if problem.severity is Severity.WARNING]


def test_fitting_seed_has_no_problem():
    assert check_labels(labels(), FACTS, "4.15.3") == []


def test_row1_missing_format_label():
    (text,) = errors(check_labels({}, FACTS, "4.15.3"))
    assert text == (
        f"{CHECKING}seed image is missing the com.openshift.lifecycle-agent.seed_format_version label, "
        "please build a new image using the latest version of the lca-cli"
    )


@pytest.mark.parametrize("version", ["3", "5", "4.0", " 4", ""])
def test_row2_another_format(version):
    expected = [f"{CHECKING}seed image format version mismatch: expected 4, got {version}"]
    assert errors(check_labels(labels(version=version), FACTS, "4.15.3")) == expected


def test_info_label_that_is_no_json():
    with pytest.raises(
        SeedFormatError,
        match="^failed to get seed cluster info from label: failed to unmarshal seed cluster info: not valid JSON",
    ):
        check_labels({FORMAT_LABEL: "4", INFO_LABEL: "{"}, FACTS, "4.15.3")


def test_absent_info_label_means_no_proxy_and_no_fips():
    facts = replace(FACTS, has_proxy=True, has_fips=True, trust_bundle=TrustBundle(True, "x"))
    found = errors(check_labels({FORMAT_LABEL: "4"}, facts, "4.15.3"))
    assert found == [
        f"{CHECKING}seed image does not have a proxy but the cluster being upgraded does{UNSUPPORTED}",
        f"{CHECKING}seed image does not have FIPS enabled but the cluster being upgraded does{UNSUPPORTED}",
    ]


def test_version_other_than_asked_for():
    expected = f"{CHECKING}version specified in seed image (4.15.3) differs from version in spec (4.16.0)"
    assert errors(check_labels(labels(), FACTS, "4.16.0")) == [expected]


BUNDLE = "an openshift-config/user-ca-bundle configmap but the cluster being upgraded"
MISMATCH = 'seed image\'s Proxy trustedCA configmap name "a" (oc get proxy -oyaml) mismatches cluster\'s name "b"'
UNSUPPORTED_COMBINATIONS = {
    "row4-seed": ({"has_proxy": True}, {}, "seed image has a proxy but the cluster being upgraded does not"),
    "row4-cluster": ({}, {"has_proxy": True}, "seed image does not have a proxy but the cluster being upgraded does"),
    "row5-seed": ({"has_fips": True}, {}, "seed image has FIPS enabled but the cluster being upgraded does not"),
    "row5-cluster": (
        {},
        {"has_fips": True},
        "seed image does not have FIPS enabled but the cluster being upgraded does",
    ),
    "row6-seed": ({"trust_bundle": TrustBundle(True)}, {}, f"seed image has {BUNDLE} does not"),
    "row6-cluster": ({}, {"trust_bundle": TrustBundle(True)}, f"seed image does not have {BUNDLE} does"),
    "row6-name": ({"trust_bundle": TrustBundle(False, "a")}, {"trust_bundle": TrustBundle(False, "b")}, MISMATCH),
}


@pytest.mark.parametrize("row", UNSUPPORTED_COMBINATIONS)
def test_unsupported_combination_is_an_error(row):
    seed, cluster, text = UNSUPPORTED_COMBINATIONS[row]
    prefix = TRUST if row.startswith("row6") else CHECKING
    assert errors(check_cluster(replace(INFO, **seed), replace(FACTS, **cluster))) == [prefix + text + UNSUPPORTED]


def test_row7_another_container_storage():
    expected = f"{CHECKING}container storage mountpoint target mismatch: seed=/dev/a, cluster={TARGET}"
    assert errors(check_cluster(replace(INFO, container_storage_target="/dev/a"), FACTS)) == [expected]


def test_unknown_trust_bundle_and_storage_of_the_seed_are_not_compared():
    info = replace(INFO, trust_bundle=None, container_storage_target="")
    facts = replace(FACTS, trust_bundle=TrustBundle(True, "x"), container_storage_target="/dev/b")
    assert check_cluster(info, facts) == []


def test_all_problems_come_together_in_order():
    info = SeedClusterInfo(
        has_proxy=True,
        has_fips=True,
        trust_bundle=TrustBundle(True, "a"),
        container_storage_target="/dev/a",
        node_ips=("10.0.0.1",),
        cluster_networks=("10.128.0.0/14",),
        service_networks=("172.30.0.0/16",),
        mirror_registry_configured=True,
        cpu_topology=CpuTopology(1, 8, 16),
    )
    facts = replace(
        FACTS,
        node_ips=("fd00::1",),
        cluster_networks=("fd01::/48",),
        service_networks=("fd02::/112",),
        cpu_topology=CpuTopology(2, 8, 16),
    )
    problems = check_cluster(info, facts)
    assert len(errors(problems)) == 5
    assert [text.removeprefix(CHECKING) for text in warnings(problems)] == [
        "IP family mismatch: seed=IPv4, cluster=IPv6; both must be the same",
        "cluster network mismatch: seed=10.128.0.0/14, cluster=fd01::/48; both must be the same",
        "service network mismatch: seed=172.30.0.0/16, cluster=fd02::/112; both must be the same",
        "seed image was made with mirror registries but the cluster being upgraded has none configured",
        "CPU topology mismatch: seed=1 sockets/8 cores/16 threads, cluster=2 sockets/8 cores/16 threads; "
        "reserved and isolated CPUs of performance profiles may not fit",
    ]
    assert [problem.severity for problem in problems] == [Severity.ERROR] * 5 + [Severity.WARNING] * 5


def test_networks_written_differently_are_equal():
    info = replace(INFO, cluster_networks=("FD01:0::/48", "10.128.0.0/14"), node_ips=("10.0.0.1", "fd00::1"))
    facts = replace(FACTS, cluster_networks=("10.128.0.0/14", "fd01::/48"), node_ips=("fd00::2", "10.9.9.9"))
    assert check_cluster(info, facts) == []
