"""post-pivot-and-rollback.md 5.2."""

import json

import pytest

from agent.node.postpivot.proxy import ProxyError, complete_proxy
from seeds.format import SeedClusterInfo
from seeds.reconfiguration import SeedReconfiguration

WITH_PROXY = SeedClusterInfo(has_proxy=True, cluster_networks=("10.128.0.0/14",), service_networks=("172.30.0.0/16",))
PROXY = {"httpProxy": "http://p", "httpsProxy": "https://p", "noProxy": "b.example.com,, a.example.com"}


def read_site(**values):
    site = {"cluster_name": "sno", "base_domain": "example.com", "machine_networks": ["192.168.126.0/24"], **values}
    return SeedReconfiguration.parse(json.dumps(site))


@pytest.mark.parametrize(("seed", "values"), [(SeedClusterInfo(), {"proxy": PROXY}), (WITH_PROXY, {})])
def test_proxy_on_one_side_only_is_refused(seed, values):
    with pytest.raises(ProxyError, match="^seedReconfig and seedClusterInfo proxy configuration mismatch$"):
        complete_proxy(read_site(**values), seed)


def test_site_without_proxy_stays_as_it_is():
    site = read_site()
    assert complete_proxy(site, SeedClusterInfo()) is site


def test_proxy_of_an_upgrade_stays_as_it_is():
    site = read_site(proxy=PROXY, status_proxy={})
    assert complete_proxy(site, WITH_PROXY) is site


def test_proxy_of_an_installation_gets_its_exceptions():
    completed = complete_proxy(read_site(proxy=PROXY), WITH_PROXY)
    assert completed.proxy.no_proxy == (
        " a.example.com,.cluster.local,.svc,10.128.0.0/14,127.0.0.1,172.30.0.0/16,192.168.126.0/24,"
        "api-int.sno.example.com,b.example.com,localhost"
    )
    assert completed.status_proxy == completed.proxy
    assert (completed.proxy.http, completed.proxy.https) == ("http://p", "https://p")


def test_proxy_of_a_seed_that_does_not_tell_its_networks_goes_without_them():
    completed = complete_proxy(read_site(proxy={"httpProxy": "http://p"}), SeedClusterInfo(has_proxy=True))
    assert completed.proxy.no_proxy == (
        ".cluster.local,.svc,127.0.0.1,192.168.126.0/24,api-int.sno.example.com,localhost"
    )


def test_proxy_without_machine_networks_is_refused():
    with pytest.raises(ProxyError, match="^machineNetworks is empty, must be provided in case of proxy$"):
        complete_proxy(read_site(proxy=PROXY, machine_networks=[]), WITH_PROXY)
