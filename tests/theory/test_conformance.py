"""What theory says of every driver, mode and flag is what a real kernel does, pair by pair.

One machine builds one topology after another. All pairs are asked together; where theory says that the
answer then depends on who asks first, the pair is asked again alone.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipvkit.comparison import compare
from ipvkit.lab import Lab
from ipvkit.theory import (
    predict,
    predict_broadcast,
    predict_delivery,
    predict_hooks,
    predict_macs,
    predict_multicast,
)
from ipvkit.theory.prediction import LEAST_MTU
from ipvkit.topology import (
    HOOKS,
    AddRoute,
    Driver,
    Drop,
    Masquerade,
    Route,
    SetMtu,
    Topology,
    ipvlan,
    macvlan,
)

BuildLab = Callable[[Topology], Lab]

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

DRIVERS = [ipvlan(mode, flag) for mode in ("l2", "l3", "l3s") for flag in ("bridge", "private", "vepa")]
DRIVERS += [macvlan(mode) for mode in ("bridge", "private", "vepa", "passthru", "source")]
SUBNETS = {4: "10.0.{}.{}/24", 6: "fd00:{}::{}/64"}


def world(driver: Driver, family: int, routes: str, hairpin: bool) -> Topology:
    """Two children in the host's subnet and one in another; passthru has room for one."""
    places = {"net1": (1, 11), "net2": (1, 12), "net3": (2, 13)}
    addresses = {name: SUBNETS[family].format(*place) for name, place in places.items()}
    if driver.mode == "passthru":
        addresses = {"net1": addresses["net1"]}
    return Topology.of(driver, routes=routes, hairpin=hairpin, **addresses)


def assert_agreement(topology: Topology, lab: Lab, family: int) -> None:
    """Compare all pairs, then those alone whose answer depends on the others."""
    predicted = predict(topology, kernel=lab.machine.kernel, family=family)
    compared = compare(predicted, lab.ping_matrix(family))
    assert compared, f"{topology}\n{compared}"
    for (source, destination), verdict in predicted.items():
        if verdict.warm:
            alone = lab.ping(source, destination, family=family, caches="cold")
            assert alone.verdict == verdict.verdict, f"{topology}\n{alone!r}\ntheory: {verdict.why}"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("routes", ["device", "gateway"])
@pytest.mark.parametrize("hairpin", [False, True], ids=["", "hairpin"])
@pytest.mark.parametrize("driver", DRIVERS, ids=str)
def test_every_pair(build_lab: BuildLab, driver: Driver, hairpin: bool, routes: str, family: int) -> None:
    topology = world(driver, family, routes, hairpin)
    assert_agreement(topology, build_lab(topology), family)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("driver", [ipvlan("l2"), macvlan("bridge")], ids=str)
def test_an_mtu_matters_only_where_theory_says_so(build_lab: BuildLab, driver: Driver, family: int) -> None:
    """At the least MTU all is as with 1500; a smaller one takes the host its way to ext, and theory does not say."""
    topology = world(driver, family, "device", False)
    least = topology.after(SetMtu("host", LEAST_MTU[family], "eth0"))
    assert_agreement(least, build_lab(least), family)
    smaller = topology.after(SetMtu("host", 68, "eth0"))
    assert predict(smaller, family=family)["host", "ext"].verdict == "not modelled"
    assert build_lab(smaller).ping("host", "ext", family=family).verdict != "reply"


@pytest.mark.parametrize("driver", [ipvlan("l2"), ipvlan("l3"), macvlan("bridge")], ids=str)
def test_the_request_arrives_with_the_predicted_ttl(build_lab: BuildLab, driver: Driver) -> None:
    topology = world(driver, 4, "gateway", False)
    lab = build_lab(topology)
    for pair, verdict in predict(topology).items():
        if verdict.verdict == "reply":
            assert lab.ping(*pair).ttl == verdict.ttl, pair


@pytest.mark.parametrize("driver", DRIVERS, ids=str)
def test_one_way_broadcast_and_multicast(build_lab: BuildLab, driver: Driver) -> None:
    topology = world(driver, 4, "gateway", False)
    lab = build_lab(topology)
    for source, destination in (("net1", "ext"), ("ext", "net1"), ("net1", "host"), ("host", "net1")):
        arrived = lab.deliver(source, destination).verdict
        assert arrived == predict_delivery(topology, source, destination).verdict, (source, destination)
    for source in ("net1", "host", "ext"):
        assert lab.broadcast(source).received == predict_broadcast(topology, source).received, source
        assert lab.multicast(source).received == predict_multicast(topology, source).received, source


@pytest.mark.parametrize("driver", [ipvlan("l2"), ipvlan("l3"), macvlan("bridge"), macvlan("private")], ids=str)
def test_what_the_switch_learns(build_lab: BuildLab, driver: Driver) -> None:
    topology = world(driver, 4, "gateway", False)
    (parent,) = build_lab(topology).mac_budget().parents
    assert parent.learned == predict_macs(topology, "ext")[parent.port]


#: Where the host sees nothing of its children, all hooks at once; elsewhere one after the other.
HOST_RULES = [(ipvlan("l2"), HOOKS), (macvlan("bridge"), HOOKS),
              *((ipvlan(mode), (hook,)) for mode in ("l3", "l3s") for hook in HOOKS)]


@pytest.mark.once
@pytest.mark.parametrize(("driver", "hooks"), HOST_RULES, ids=str)
def test_a_rule_of_the_host_on_every_hook(build_lab: BuildLab, driver: Driver, hooks: tuple[str, ...]) -> None:
    """Pings and datagrams to and from children, one to all, and the hooks a dropped datagram still passed."""
    back = AddRoute("ext", Route("10.0.2.0/24", via="10.0.1.2"))
    topology = world(driver, 4, "device", False).after(back, *(Drop("host", hook) for hook in hooks))
    lab = build_lab(topology)
    assert_agreement(topology, lab, 4)
    for source, destination in (("net3", "ext"), ("ext", "net3"), ("net1", "net3")):
        assert lab.deliver(source, destination).verdict == predict_delivery(topology, source, destination).verdict
        passed = {netns: passed for netns, passed in lab.hooks(source, destination).passed.items() if passed}
        assert passed == predict_hooks(topology, source, destination), (source, destination)
    for source in ("host", "ext"):
        assert lab.broadcast(source).received == predict_broadcast(topology, source).received, source


@pytest.mark.once
@pytest.mark.parametrize("place", ["host", "net3", "router"])
@pytest.mark.parametrize("driver", [ipvlan("l2"), ipvlan("l3"), ipvlan("l3s"), macvlan("bridge")], ids=str)
def test_masquerading(build_lab: BuildLab, driver: Driver, place: str) -> None:
    topology = world(driver, 4, "gateway", False).after(Masquerade(place))
    assert_agreement(topology, build_lab(topology), 4)


@pytest.mark.parametrize("driver", [ipvlan("l2"), ipvlan("l3"), ipvlan("l3s"), macvlan("bridge")], ids=str)
def test_the_netfilter_hooks_a_datagram_passes(build_lab: BuildLab, driver: Driver) -> None:
    """From a child out, to a child from a host that has a route to it, between siblings, and to the child's host."""
    way = AddRoute("ext", Route("10.0.2.0/24", via="10.0.1.2"))
    topology = world(driver, 4, "device", False).after(way)
    lab = build_lab(topology)
    for source, destination in (("net1", "ext"), ("ext", "net3"), ("net1", "net2"), ("net1", "host"), ("ext", "far")):
        measured = lab.hooks(source, destination)
        passed = {netns: hooks for netns, hooks in measured.passed.items() if hooks}
        assert passed == predict_hooks(topology, source, destination), (source, destination)
