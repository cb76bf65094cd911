"""The verdicts every lesson stands on, in the default world. What they say is checked against kernels elsewhere."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ipvkit.theory import RULES, explain, predict
from ipvkit.topology import Driver, Host, Interface, Route, Topology, ipvlan, macvlan
from ipvkit.topology.parts import Cable

L2_LIKE = [ipvlan("l2"), macvlan("bridge")]


def world(driver: Driver, **options: object) -> Topology:
    """Two children in the host's subnet, one in another."""
    return Topology.of(driver, net1="10.0.1.11/24", net2="10.0.1.12/24", net3="10.0.2.13/24", **options)


@pytest.mark.parametrize("driver", [*L2_LIKE, ipvlan("l3"), ipvlan("l3s")], ids=str)
def test_siblings_reach_each_other_even_across_subnets(driver: Driver) -> None:
    predicted = predict(world(driver))
    assert predicted["net1", "net2"].verdict == "reply"
    assert predicted["net1", "net3"].verdict == "reply"


@pytest.mark.parametrize("driver", L2_LIKE, ids=str)
def test_child_and_its_own_host_do_not_hear_each_other(driver: Driver) -> None:
    predicted = predict(world(driver))
    assert (predicted["net1", "host"].verdict, predicted["net1", "host"].rule) == (
        "host unreachable", "child-sends-past-host")
    assert (predicted["host", "net1"].verdict, predicted["host", "net1"].rule) == (
        "host unreachable", "parent-sends-past-children")


@pytest.mark.parametrize("driver", [ipvlan("l2"), macvlan("vepa"), macvlan("bridge")], ids=str)
def test_with_hairpin_the_switch_brings_child_and_host_together(driver: Driver) -> None:
    assert predict(world(driver, hairpin=True))["net1", "host"].verdict == "reply"


def test_l3_child_is_answered_by_nobody_because_nobody_gets_its_arp_answered() -> None:
    predicted = predict(world(ipvlan("l3")))
    assert (predicted["ext", "net1"].verdict, predicted["ext", "net1"].rule) == ("host unreachable", "ipvlan-l3-noarp")
    assert predicted["net1", "ext"].verdict == "timeout"
    assert predicted["net1", "host"].verdict == "timeout"
    assert "reply ends in host" in predicted["net1", "host"].why


def test_the_gateway_costs_one_hop_and_the_wire() -> None:
    walk = explain(world(ipvlan("l2"), routes="gateway"), "net1", "net3")
    assert walk.verdict.ttl == 63
    assert {("router", "forward")} <= {(step.netns, step.rule) for step in walk.steps}
    direct = explain(world(ipvlan("l3"), routes="gateway"), "net1", "net3")
    assert direct.verdict.ttl == 64
    assert direct.frames == ()


def test_router_without_a_route_tells_the_sender() -> None:
    predicted = predict(world(ipvlan("l2")))
    assert (predicted["far", "net3"].verdict, predicted["far", "net3"].rule) == (
        "network unreachable", "forward-no-route")
    assert (predicted["net3", "ext"].verdict) == "timeout"


def test_l3_private_sibling_is_an_error_at_once() -> None:
    assert predict(world(ipvlan("l3", "private")))["net1", "net2"].verdict == "no buffers"


def test_two_default_routes_that_point_at_each_other_end_with_ttl_exceeded() -> None:
    a = Host("a", (Interface("eth0", ("10.0.0.1/24",)), Interface("eth1", ("10.0.1.1/24",))),
             routes=(Route("default", via="10.0.0.2"),), forwarding=True)
    b = Host("b", (Interface("eth0", ("10.0.0.2/24",)),), routes=(Route("default", via="10.0.0.1"),), forwarding=True)
    c = Host("c", (Interface("eth0", ("10.0.1.2/24",)),), routes=(Route("default", via="10.0.1.1"),))
    d = Host("d", (Interface("eth0", ("10.9.9.9/24",)),))
    circle = Topology(hosts=(a, b, c, d), cables=(Cable("a.eth0", "b.eth0"), Cable("a.eth1", "c.eth0")))
    assert (predict(circle)["c", "d"].verdict, predict(circle)["c", "d"].rule) == ("ttl exceeded", "ttl-exceeded")


@pytest.mark.parametrize("driver", [*L2_LIKE, ipvlan("l3"), ipvlan("l3s"), macvlan("private")], ids=str)
@pytest.mark.parametrize("routes", ["device", "gateway", "none"])
@pytest.mark.parametrize("hairpin", [False, True])
def test_explain_tells_the_story_of_predict(driver: Driver, routes: str, hairpin: bool) -> None:
    topology = world(driver, routes=routes, hairpin=hairpin)
    predicted = predict(topology)
    for (source, destination), verdict in predicted.items():
        walk = explain(topology, source, destination)
        assert walk.verdict == replace(verdict, warm=frozenset())
        assert all(step.source == RULES[step.rule].source for step in walk.steps)


def test_a_kernel_nobody_read_the_source_of_is_not_modelled() -> None:
    assert {verdict.verdict for verdict in predict(world(ipvlan("l2")), kernel="99.0").values()} == {"not modelled"}
    assert predict(world(ipvlan("l2", "private")), kernel="4.9")["net1", "net2"].verdict == "not modelled"


def test_a_hundred_endpoints_take_a_second() -> None:
    topology = Topology.of(ipvlan("l2"), **{f"net{n}": f"10.0.1.{n + 10}/24" for n in range(100)})
    begin = time.process_time()
    predicted = predict(topology)
    assert len(predicted) == 104 * 103
    assert time.process_time() - begin < 2.0  # one second on a free machine; CI's are not
