"""CNI plugins called as Kubernetes calls them: what they make, what they do not notice, what pods then cannot do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from ipvkit.comparison import compare
from ipvkit.errors import BadQuestion, LabError
from ipvkit.lab import Lab
from ipvkit.systems import cni, dhcp, extras, firewall
from ipvkit.theory import predict
from ipvkit.topology import AddRoute, Route, Topology, ipvlan, macvlan
from tests.systems.installed import needs, needs_extra

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600), needs_extra("cni")]
BuildLab = Callable[[Topology], Lab]
SERVICE = "10.96.0.1"
NODE = Topology.of(ipvlan("l2"), routes="none")
BARE = Topology.of(macvlan("bridge"), routes="none")


def node(build_lab: BuildLab, with_ipvlan: bool = True) -> Lab:
    """Build the default world without children, in a kernel that has ipvlan."""
    lab = build_lab(Topology.of(ipvlan("l3s"), routes="none", net1="") if with_ipvlan else BARE)
    if with_ipvlan:
        lab.rebuild(NODE)
    return lab


def network(mode: str, address: str, gateway: str = "", name: str = "net") -> cni.Network:
    return cni.Network(name, ipvlan(mode), cni.static(address, gateway))


def agrees(lab: Lab, topology: Topology) -> bool:
    comparison = compare(predict(topology, kernel=lab.machine.kernel), lab.ping_matrix())
    assert comparison, comparison
    return True


def test_ipvlan_l2_pods_reach_all_but_their_node(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    with cni.Runtime(lab) as runtime:
        pods = cni.Network("pods", ipvlan("l2"), cni.host_local("10.0.1.0/24", "10.0.1.100"))
        assert [runtime.add(pod, pods) for pod in ("pod1", "pod2")] == [("10.0.1.100/24",), ("10.0.1.101/24",)]
        topology = runtime.topology()
        assert [str(endpoint.driver) for endpoint in topology.endpoints] == ["ipvlan l2"] * 2
        assert topology.endpoint("pod1").child == "eth0"
        assert agrees(lab, topology)
        assert str(lab.ping("pod1", "pod2")) == str(lab.ping("ext", "pod1")) == "reply, ttl 64"
        probe = lab.ping("host", "pod1")  # what a kubelet's probe meets: ARP that no child answers
        assert (probe.verdict, probe.errno) == ("host unreachable", "EHOSTUNREACH")
    assert "pod1" not in lab.topology.names
    assert not [link for link in lab.state().links if link.kind == "ipvlan"]


def test_l3_pods_are_reached_from_outside_by_a_route_only(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    with cni.Runtime(lab) as runtime:
        runtime.add("pod1", network("l3", "10.0.11.1/24"))
        runtime.add("pod2", network("l3", "10.0.12.1/24"))
        topology = runtime.topology()
        assert str(lab.ping("pod1", "pod2")) == "reply, ttl 64"
        assert str(lab.ping("far", "pod1")) == "network unreachable, says router"
        assert agrees(lab, topology)
        lab.apply(AddRoute("router", Route("10.0.11.0/24", via="10.0.1.2")))
        assert str(lab.ping("far", "pod1")) == "reply, ttl 63"


def test_two_networks_on_one_parent_and_the_last_ones_mode_holds_for_all(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    with cni.Runtime(lab) as runtime:
        runtime.add("pod1", network("l2", "10.0.1.11/24", "10.0.1.1", "first"))
        assert str(runtime.topology().endpoint("pod1").driver) == "ipvlan l2"
        assert lab.ping("pod1", "ext")
        runtime.add("pod2", network("l3", "10.0.2.11/24", name="second"))  # accepted
        topology = runtime.topology()
        assert [str(endpoint.driver) for endpoint in topology.endpoints] == ["ipvlan l3"] * 2
        assert str(lab.ping("ext", "pod1")) == "host unreachable, says ext"  # it answers no ARP any more
        assert agrees(lab, topology)


def test_two_subnets_are_two_networks_of_one_mode(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    with cni.Runtime(lab) as runtime:
        runtime.add("pod1", network("l2", "10.0.1.11/24", "10.0.1.1", "first"))
        runtime.add("pod2", network("l2", "10.0.2.11/24", name="second"))
        topology = runtime.topology()
        assert agrees(lab, topology)
        assert lab.ping("pod1", "ext")


def test_macvlan_beside_ipvlan_is_refused_by_the_kernel(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    beside = cni.Network("beside", macvlan("bridge"), cni.static("10.0.1.12/24"))
    with cni.Runtime(lab) as runtime:
        runtime.add("pod1", network("l2", "10.0.1.11/24"))
        with pytest.raises(LabError, match=r"CNI macvlan, ADD pod2: .*resource busy\nThe parent serves another"):
            runtime.add("pod2", beside)
        runtime.delete("pod1")
        assert runtime.add("pod2", beside) == ("10.0.1.12/24",)  # alone it may


def test_macvlan_pods_have_macs_of_their_own(build_lab: BuildLab) -> None:
    lab = node(build_lab, with_ipvlan=False)
    with cni.Runtime(lab) as runtime:
        for number in (1, 2):
            runtime.add(f"pod{number}", cni.Network("pods", macvlan("bridge"), cni.static(f"10.0.1.1{number}/24")))
        topology = runtime.topology()
        assert len({topology.endpoint(pod).mac for pod in ("pod1", "pod2")}) == 2
        assert agrees(lab, topology)


@needs("iptables-legacy")
@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_a_service_address_works_where_both_ways_pass_the_nodes_rules(build_lab: BuildLab, mode: str) -> None:
    lab = node(build_lab)
    firewall.add(lab, f"OUTPUT -d {SERVICE} -j DNAT --to-destination 10.0.1.3", table="nat")
    firewall.add(lab, f"PREROUTING -d {SERVICE} -j DNAT --to-destination 10.0.1.3", table="nat")
    try:
        with cni.Runtime(lab) as runtime:
            runtime.add("pod1", network(mode, "10.0.1.11/24", "10.0.1.1" if mode == "l2" else ""))
            runtime.topology()
            if mode != "l2":
                lab.apply(AddRoute("ext", Route("10.0.1.11/32", via="10.0.1.2")))
            assert lab.ping("pod1", "ext")
            assert lab.ping("host", SERVICE)
            asked = lab.ping("pod1", SERVICE)
    finally:
        firewall.clear(lab, table="nat")
    assert str(asked) == {
        "l2": "network unreachable, says router",  # the node's rules never saw it
        "l3": "reply, ttl 64, from ext",  # the answer passes none of them, so nobody gives it the service's address
        "l3s": "reply, ttl 64",
    }[mode]


@needs("dnsmasq")
def test_dhcp_for_macvlan_pods_just_works(build_lab: BuildLab) -> None:
    lab = node(build_lab, with_ipvlan=False)
    with dhcp.Server(lab) as server, cni.Runtime(lab) as runtime:
        runtime.start_dhcp()
        for pod in ("pod1", "pod2"):
            runtime.add(pod, cni.Network("pods", macvlan("bridge"), cni.DHCP))
        assert len({row[1] for row in server.leases().rows}) == 2
        runtime.topology()
        assert lab.ping("ext", "pod1")


@needs("dnsmasq")
def test_dhcp_for_ipvlan_pods_needs_the_broadcast_flag(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    with dhcp.Server(lab) as server, cni.Runtime(lab) as runtime:
        runtime.start_dhcp()
        with pytest.raises(LabError, match=r"CNI ipvlan, ADD pod1: .*no more tries"):
            runtime.add("pod1", cni.Network("pods", ipvlan("l2"), cni.DHCP))
        runtime.start_dhcp(broadcast=True)
        for pod in ("pod1", "pod2"):
            assert runtime.add(pod, cni.Network("pods", ipvlan("l2"), cni.DHCP))
        assert [row[1] for row in server.leases().rows] == ["02:00:00:00:00:01"] * 2  # one MAC, told apart by the id
        runtime.topology()
        assert lab.ping("ext", "pod1")


def test_what_is_not_there_is_named(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    with pytest.raises(BadQuestion, match="nobody has made 'pod9'"):
        lab.adopt(Topology.of(ipvlan("l2"), routes="none", pod9="10.0.1.9/24"))
    assert "pod9" not in lab.topology.names
    assert extras.find("no-such-program") is None


def test_a_pod_is_in_one_network_and_a_second_does_no_harm(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    with cni.Runtime(lab) as runtime:
        runtime.add("pod1", network("l2", "10.0.1.101/24"))
        with pytest.raises(BadQuestion, match="pod1 is in the network 'net' already"):
            runtime.add("pod1", network("l2", "10.0.1.102/24", name="second"))
        runtime.topology()
        assert lab.ping("ext", "pod1")


def test_what_a_plugin_says_about_one_pod_keeps_no_other(build_lab: BuildLab) -> None:
    lab = node(build_lab)
    runtime = cni.Runtime(lab)
    for number in (1, 2):
        runtime.add(f"pod{number}", network("l2", f"10.0.1.10{number}/24"))
    assert lab.run("host", "mv /run/netns/pod1 /run/netns/gone", show=lambda _: None).status == 0
    with suppress(LabError):
        runtime.close()
    assert "10.0.1.102" not in lab.run("host", "ip netns pids pod2; ip -n pod2 addr 2>&1", show=lambda _: None).output
    lab.run("host", "rm -f /run/netns/gone /run/netns/pod*", show=lambda _: None)
