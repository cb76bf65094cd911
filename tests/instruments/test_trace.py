"""The path of a ping, seen in the kernel: what tells the modes apart is on the wire, or not on it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest

from ipvkit.errors import BadQuestion
from ipvkit.instruments.trace import Trace
from ipvkit.lab import Lab
from ipvkit.topology import AddEndpoint, Driver, Endpoint, Topology, ipvlan, macvlan

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]
PARENT = "02:00:00:00:00:01"


def world(driver: Driver, net2: str = "10.0.2.12/24", **options: str) -> Topology:
    return Topology.of(driver, net1="10.0.1.11/24", net2=net2, net3="10.0.1.13/24", **options)


def words(trace: Trace) -> list[str]:
    return [step.message.words.split()[0] + " " + step.message.words.split()[1] for step in trace.steps]


def test_a_child_called_like_its_parent_does_not_lead_in_circles(build_lab: BuildLab) -> None:
    driver = macvlan("bridge")
    taken = AddEndpoint("host", Endpoint("net4", driver, netns="host", child="eth0"))
    assert build_lab(world(driver).after(taken)).trace("net1", "ext").answer.verdict == "reply"


def test_a_link_local_address_through_a_device_that_is_not_there(build_lab: BuildLab) -> None:
    lab = build_lab(Topology.of(macvlan("bridge"), net1="fd00:1::11/64"))
    with pytest.raises(BadQuestion, match="net1 has no device 'nosuch'"):
        lab.trace("net1", "fe80::1%nosuch")


def test_link_local_addresses_are_traced_as_well(build_lab: BuildLab) -> None:
    trace = build_lab(Topology.of(ipvlan("l2"), net1="fd00:1::11/64")).trace("net1", "ext", link_local=True)
    assert trace.answer.from_ == "ext"
    assert [step.message.words for step in trace.steps] == [
        "neighbour solicitation for fe80::ff:fe00:2", "neighbour advertisement for fe80::ff:fe00:2",
        "echo request fe80::200:0:100:1 → fe80::ff:fe00:2", "echo reply fe80::ff:fe00:2 → fe80::200:0:100:1"]


@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_between_siblings_of_l3_nothing_is_on_the_wire(build_lab: BuildLab, mode: str) -> None:
    trace = build_lab(world(ipvlan(mode))).trace("net1", "net2")
    assert trace.answer.verdict == "reply"
    assert trace.answer.ttl == 64
    assert words(trace) == ["echo request", "echo reply"]
    assert [step.places for step in trace.steps] == [(("net1", "ipv1"), ("net2", "ipv2")),
                                                     (("net2", "ipv2"), ("net1", "ipv1"))]
    assert {frame.netns for frame in trace.frames} == {"net1", "net2"}


@pytest.mark.parametrize(("driver", "macs"), [
    (ipvlan("l2"), (PARENT, PARENT)), (macvlan("bridge"), ("02:00:00:01:00:01", "02:00:00:01:00:02")),
], ids=str)
def test_l2_siblings_ask_by_arp_and_the_wire_hears_the_question(
    build_lab: BuildLab, driver: Driver, macs: tuple[str, str]
) -> None:
    trace = build_lab(world(driver, "10.0.1.12/24")).trace("net1", "net2")
    question, answer, request, reply = trace.steps
    assert question.message.words == "who has 10.0.1.12? tell 10.0.1.11"
    assert set(question.netnses) == {"net1", "net2", "net3", "host", "switch", "ext", "router"}
    assert answer.message.words == f"10.0.1.12 is at {macs[1]}"
    assert request.macs == macs
    assert reply.macs == macs[::-1]
    assert trace.steps[2] not in trace.seen_at("switch")
    assert trace.answer.ttl == 64


@pytest.mark.parametrize("driver", [ipvlan("l2"), macvlan("bridge")], ids=str)
def test_with_a_gateway_l2_goes_out_to_the_router_and_back(build_lab: BuildLab, driver: Driver) -> None:
    trace = build_lab(world(driver, routes="gateway")).trace("net1", "net2")
    requests = [step for step in trace.steps if step.message.words.startswith("echo request")]
    assert [step.message.ttl for step in requests] == [64, 63]
    assert requests[0].netnses == ("net1", "host", "switch", "router")
    assert requests[1].netnses == ("router", "switch", "host", "net2")
    assert trace.answer.ttl == 63


def test_a_stranger_in_the_subnet_asks_for_an_l3_child_in_vain(build_lab: BuildLab) -> None:
    trace = build_lab(world(ipvlan("l3"))).trace("ext", "net1")
    assert trace.answer.verdict == "host unreachable"
    question, verdict = trace.steps
    assert (question.message.words, question.times) == ("who has 10.0.1.11? tell 10.0.1.3", 3)
    assert "net1" in question.netnses, "the question reaches the child, which does not answer (IFF_NOARP)"
    assert verdict.places == (("ext", "lo"),)


def test_the_parent_writes_the_mac_of_an_l3_child(build_lab: BuildLab) -> None:
    """The ring keeps the frame as it passed each device: the child's has no next hop yet, the parent's has."""
    trace = build_lab(world(ipvlan("l3"))).trace("net1", "far")
    by_child, by_parent = (step for step in trace.seen_at("net1", "ipv1") + trace.seen_at("host", "eth0")
                           if step.message.words.startswith("echo request"))
    assert by_child.macs == (PARENT, PARENT)
    assert by_parent.macs == (PARENT, "02:00:00:00:00:03")


def test_ipv6_resolves_by_neighbour_discovery(build_lab: BuildLab) -> None:
    lab = build_lab(Topology.of(macvlan("bridge"), net1="fd00:1::11/64", net2="fd00:1::12/64"))
    trace = lab.trace("net1", "net2")
    assert trace.answer.verdict == "reply"
    assert words(trace) == ["neighbour solicitation", "neighbour advertisement", "echo request", "echo reply"]


def test_warm_caches_need_no_question(build_lab: BuildLab) -> None:
    lab = build_lab(world(macvlan("bridge"), "10.0.1.12/24"))
    assert words(lab.trace("net1", "net2"))[0] == "who has"
    warm = lab.trace("net1", "net2", caches="as they were")
    assert words(warm) == ["echo request", "echo reply"]
    assert "caches as they were" in repr(warm)


@pytest.mark.parametrize(("driver", "routes"), [(macvlan("bridge"), "gateway"), (ipvlan("l2"), "gateway")], ids=str)
def test_the_text_is_the_same_every_time(build_lab: BuildLab, driver: Driver, routes: str) -> None:
    lab = build_lab(world(driver, routes=routes))
    assert len({repr(lab.trace("net1", "net2")) for _ in range(8)}) == 1


def test_a_file_for_each_interface_that_wireshark_reads(build_lab: BuildLab, tmp_path: Path) -> None:
    trace = build_lab(world(macvlan("bridge"), "10.0.1.12/24")).trace("net1", "net2")
    paths = {path.name: path for path in trace.save_pcapng(tmp_path)}
    assert {"net1.macv1.pcapng", "net2.macv2.pcapng", "host.eth0.pcapng", "switch.p1.pcapng"} <= set(paths)
    content = paths["net2.macv2.pcapng"].read_bytes()
    assert all(frame.data in content for frame in trace.frames if frame.netns == "net2")
    if which("tcpdump"):
        read = subprocess.run(["tcpdump", "-nr", str(paths["net2.macv2.pcapng"])], capture_output=True, text=True)
        assert "Request who-has 10.0.1.12" in read.stdout
        assert "ICMP echo reply" in read.stdout


def test_questions_that_cannot_be_asked_are_refused_and_the_lab_goes_on(build_lab: BuildLab) -> None:
    lab = build_lab(world(macvlan("bridge"), "10.0.1.12/24"))
    for src, dst, options in (("nobody", "net1", {}), ("net1", "nobody", {}), ("net1", "net2", {"caches": "warm"}),
                              ("net1", "net2", {"family": 5})):
        with pytest.raises(BadQuestion):
            lab.trace(src, dst, **options)
    assert lab.trace("net1", "10.0.1.99").answer.verdict == "host unreachable"
    assert lab.trace("net1", "net2").answer.verdict == "reply"
