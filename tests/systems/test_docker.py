"""A real dockerd in a lab's kernel: what its networks are, what it refuses, and what it leaves to the kernel to refuse.

One lab and one daemon serve all: starting it takes seven seconds, and each container five. On a busy computer that is
several times as long, so the mark on a test here is more than that of the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ipvkit.comparison import compare
from ipvkit.errors import BadQuestion, LabError
from ipvkit.lab import Lab
from ipvkit.systems import docker
from ipvkit.theory import predict
from ipvkit.topology import AddRoute, Route, Topology, ipvlan, macvlan
from tests.systems.installed import needs_extra

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600), needs_extra("docker")]
WORLD = Topology.of(ipvlan("l2"), routes="none")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(WORLD, machine="uml", memory=docker.MEMORY) as made:
        yield made


@pytest.fixture(scope="module")
def daemon(lab: Lab) -> Iterator[docker.Engine]:
    with docker.Engine(lab) as made:
        yield made


@pytest.fixture
def engine(daemon: docker.Engine) -> Iterator[docker.Engine]:
    """Give the daemon without containers and networks."""
    yield daemon
    daemon.remove()


def test_a_daemon_that_dies_says_why_and_leaves_nothing(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"(?s)in host: ended with exit status 1.*invalid host \"%%\""):
        docker.Engine(lab, "--insecure-registry=%%")
    assert lab.run("host", "pgrep containerd", show=lambda _: None).status == 1


def test_l2_two_subnets_on_one_network(lab: Lab, engine: docker.Engine) -> None:
    engine.create_network("lan", ipvlan("l2"), "--subnet=10.0.1.0/24", "--gateway=10.0.1.1", "--subnet=10.0.2.0/24")
    engine.run("c1", "lan", "10.0.1.11")
    engine.run("c2", "lan", "10.0.2.11")
    topology = engine.topology()
    assert [str(endpoint.driver) for endpoint in topology.endpoints] == ["ipvlan l2"] * 2
    assert [str(route) for name in ("c1", "c2") for route in topology.endpoint(name).routes] == [
        "default via 10.0.1.1", "default via 10.0.2.1"]  # Docker invents the second
    with pytest.raises(BadQuestion, match="there is a container 'c1'"):
        engine.run("c1", "lan")
    matrix = lab.ping_matrix()
    assert compare(predict(topology, kernel=lab.machine.kernel), matrix)
    assert str(matrix.pairs["far", "c1"]) == "reply, ttl 63"  # seen from outside as any host of the LAN
    assert (matrix.pairs["c1", "host"].errno, matrix.pairs["host", "c1"].errno) == ("EHOSTUNREACH",) * 2
    assert matrix.pairs["c2", "c1"].verdict == "host unreachable"  # nobody has 10.0.2.1: no gateway, no way

    with pytest.raises(LabError, match="is already using parent interface eth0"):
        engine.create_network("second", ipvlan("l3"), "--subnet=10.0.3.0/24")
    engine.create_network("beside", macvlan("bridge"), "--subnet=10.0.4.0/24")  # another driver: Docker does not look
    with pytest.raises(LabError, match="failed to create the macvlan port: device or resource busy"):
        engine.run("c3", "beside")
    assert [str(endpoint.driver) for endpoint in engine.topology().endpoints] == ["ipvlan l2"] * 2


def test_l3_two_subnets_reach_each_other_and_from_outside_by_a_route(lab: Lab, engine: docker.Engine) -> None:
    engine.create_network("l3", ipvlan("l3"), "--subnet=10.0.11.0/24", "--subnet=10.0.12.0/24")
    engine.run("c1", "l3", "10.0.11.11")
    engine.run("c2", "l3", "10.0.12.11")
    topology = engine.topology()
    matrix = lab.ping_matrix()
    assert compare(predict(topology, kernel=lab.machine.kernel), matrix)
    assert str(matrix.pairs["c1", "c2"]) == "reply, ttl 64"
    assert str(matrix.pairs["far", "c1"]) == "network unreachable, says router"
    assert [str(route) for route in topology.endpoint("c1").routes] == ["default dev eth0"]
    lab.apply(AddRoute("router", Route("10.0.11.0/24", via="10.0.1.2")))
    assert str(lab.ping("far", "c1")) == "reply, ttl 63"


def test_two_modes_by_vlan_sub_interfaces_and_an_internal_network(lab: Lab, engine: docker.Engine) -> None:
    engine.create_network("v30", ipvlan("l3"), "--subnet=10.0.11.0/24", parent="eth0.30")
    engine.create_network("v110", macvlan("bridge"), "--subnet=10.0.110.0/24", parent="eth0.110")
    engine.create_network("inside", ipvlan("l2"), "--internal", "--subnet=10.0.5.0/24", parent="")
    for name, network in (("c1", "v30"), ("c2", "v110"), ("c3", "inside")):
        engine.run(name, network)
    topology = engine.topology()
    assert [(vlan.name, vlan.id) for vlan in topology.host("host").vlans] == [("eth0.30", 30), ("eth0.110", 110)]
    parents = {endpoint.name: (endpoint.parent, str(endpoint.driver)) for endpoint in topology.endpoints}
    assert parents["c1"] == ("eth0.30", "ipvlan l3")
    assert parents["c2"] == ("eth0.110", "macvlan bridge")
    assert parents["c3"][0].startswith("di-")  # a dummy that Docker made: there is no wire
    assert topology.endpoint("c3").routes == ()
    comparison = compare(predict(topology, kernel=lab.machine.kernel), lab.ping_matrix())
    assert comparison, comparison


def test_ipv6_has_a_gateway_of_its_own(lab: Lab, engine: docker.Engine) -> None:
    engine.create_network("six", ipvlan("l2"), "--ipv6", "--subnet=10.0.1.0/24", "--gateway=10.0.1.1",
                          "--subnet=fd00:1::/64", "--gateway=fd00:1::1")
    engine.run("c1", "six", "10.0.1.11", "fd00:1::11")
    engine.run("c2", "six", "10.0.1.12", "fd00:1::12")
    topology = engine.topology()
    assert topology.endpoint("c1").addresses == ("10.0.1.11/24", "fd00:1::11/64")
    routes = topology.endpoint("c1").routes
    assert list(map(str, routes)) == ["default via 10.0.1.1", "default6 via fd00:1::1"]
    assert str(lab.ping("c1", "c2", family=6)) == "reply, ttl 64"
    assert lab.ping("c1", "fd00:9::2").verdict == "host unreachable"  # this world's router has no IPv6


def test_a_machine_that_shares_this_kernel_is_refused() -> None:
    with Lab(Topology.of(macvlan("bridge"), routes="none"), machine="native") as native, \
            pytest.raises(LabError, match="needs a kernel of its own"):
        docker.Engine(native)
