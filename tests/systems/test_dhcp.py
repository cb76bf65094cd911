"""Who gets an address by DHCP, who does not, and where the packet died: dnsmasq and udhcpc on real children."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from ipvkit.comparison import compare
from ipvkit.errors import BadQuestion, DeadlineExceeded, LabError
from ipvkit.findings import Answer
from ipvkit.lab import Lab
from ipvkit.systems import dhcp, needed
from ipvkit.theory import predict
from ipvkit.topology import Driver, Topology, ipvlan, macvlan
from tests.systems.installed import needs
from tests.systems.processes import running

pytestmark = [pytest.mark.kernel, needs("dnsmasq", "busybox")]
BuildLab = Callable[[Topology], Lab]
FIRST, SECOND = "10.0.1.100", "10.0.1.101"
HOST_MAC = "02:00:00:00:00:01"
TAKEN = "Address already assigned to an ipvlan device"


def packets(lease: dhcp.Lease) -> dict[str, tuple[str, list[str]]]:
    return {kind: (to, seen.split(", ")) for kind, to, seen in lease.packets.rows}


def leased(net1: str, net2: str) -> Topology:
    """The lab as the leases make it: who gets which, theory does not model; what follows from them, it does."""
    return Topology.of(ipvlan("l2"), routes="none", net1=f"{net1}/24", net2=f"{net2}/24")


class Asked:
    """Every pair of the lab in which a lease has a part, measured by address: the lab does not know the leases."""

    def __init__(self, lab: Lab, **addresses: str) -> None:
        names = [*addresses, *(name for name in lab.topology.names if lab.topology.addresses(name))]
        self.pairs: dict[tuple[str, str], Answer] = {
            (src, dst): lab.ping(src, addresses.get(dst, dst)) for src in names for dst in names
            if src != dst and {src, dst} & addresses.keys()}


@pytest.mark.parametrize("client_id", ["", "net1"])
def test_ipvlan_without_the_broadcast_flag_the_offer_dies_in_the_host(build_lab: BuildLab, client_id: str) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab):
        lease = dhcp.ask(lab, "net1", broadcast=False, client_id=client_id)
    assert not lease
    assert str(lease) == "no lease"
    to, seen = packets(lease)["OFFER"]
    assert to == HOST_MAC
    assert seen[-1] == "host"
    assert not {"net1", "net2"} & set(seen)
    assert "REQUEST" not in packets(lease)


def test_ipvlan_with_the_flag_alone_two_clients_are_given_one_address(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab) as server:
        first, second = (dhcp.ask(lab, name, broadcast=True) for name in ("net1", "net2"))
        assert server.leases().rows == ((FIRST, HOST_MAC, "none"),)
    assert (first.address, first.refused) == (FIRST, "")
    assert (second.address, second.refused) == (FIRST, TAKEN)
    refusals = predict(leased(net1=FIRST, net2=FIRST)).refusals
    assert [refusal.identifier for refusal in refusals] == ["address-on-sibling"]
    assert first
    assert not second
    assert packets(second)["OFFER"][0] == "everyone"


def test_ipvlan_with_the_flag_and_an_identifier_each_has_an_address_that_works(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab) as server:
        assert all(dhcp.ask(lab, name, broadcast=True, client_id=name) for name in ("net1", "net2"))
        assert server.leases().rows == ((FIRST, HOST_MAC, "net1"), (SECOND, HOST_MAC, "net2"))
    assert [str(lab.ping("ext", address)) for address in (FIRST, SECOND)] == ["reply, ttl 64"] * 2
    assert compare(predict(leased(net1=FIRST, net2=SECOND)), Asked(lab, net1=FIRST, net2=SECOND))


def test_a_server_that_ignores_the_identifier_sees_one_client(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab, ignore_client_id=True) as server:
        leases = [dhcp.ask(lab, name, broadcast=True, client_id=name) for name in ("net1", "net2")]
        assert [lease.address for lease in leases] == [FIRST, FIRST]
        assert len(server.leases().rows) == 1
    assert leases[1].refused == TAKEN


def test_an_address_can_be_reserved_for_an_identifier(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab, reserved={"net2": "10.0.1.50"}):
        assert dhcp.ask(lab, "net1", broadcast=True, client_id="net1").address == FIRST
        assert dhcp.ask(lab, "net2", broadcast=True, client_id="net2").address == "10.0.1.50"


@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_ipvlan_l3_cannot_even_send_the_question(build_lab: BuildLab, mode: str) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan(mode)))
    with dhcp.Server(lab) as server:
        lease = dhcp.ask(lab, "net1", broadcast=True, client_id="net1")
        assert server.leases().rows == ()
    assert str(lease) == "cannot send: No buffer space available"
    assert packets(lease) == {"DISCOVER": ("everyone", ["net1"])}


def test_macvlan_every_kind_of_client_has_an_address(build_lab: BuildLab) -> None:
    driver = macvlan("bridge")
    table = dhcp.compare_clients(build_lab(dhcp.two_clients(driver)), driver)
    assert [row[:2] for row in table.rows] == [("no", "no"), ("no", "yes"), ("yes", "no"), ("yes", "yes")]
    assert {row[2:] for row in table.rows} == {(FIRST, SECOND)}


def test_macvlan_clients_that_say_the_same_share_an_address_and_nobody_refuses(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(macvlan("bridge")))
    with dhcp.Server(lab):
        leases = [dhcp.ask(lab, name, broadcast=False, client_id="twin") for name in ("net1", "net2")]
    assert [(lease.address, lease.refused) for lease in leases] == [(FIRST, "")] * 2
    assert packets(leases[1])["ACK"] == ("02:00:00:01:00:02", ["ext", "switch", "host", "net2"])


@pytest.mark.parametrize("driver", [ipvlan("l2"), macvlan("bridge")], ids=str)
def test_without_a_server_nobody_answers(build_lab: BuildLab, driver: Driver) -> None:
    lease = dhcp.ask(build_lab(dhcp.two_clients(driver)), "net1", broadcast=True, client_id="net1")
    assert str(lease) == "no lease"
    assert set(packets(lease)) == {"DISCOVER"}
    assert "ext" in packets(lease)["DISCOVER"][1]


def test_a_server_that_cannot_start_says_why_and_leaves_the_place_free(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(macvlan("bridge")))
    with pytest.raises(LabError, match=r"(?s)dnsmasq in ext: ended with exit status.*duplicate dhcp-host IP address"):
        dhcp.Server(lab, reserved={"net1": "10.0.1.50", "net2": "10.0.1.50"})
    assert not running(lab, "dnsmasq")
    with dhcp.Server(lab) as server:
        assert server.program.running
    assert not server.program.running


def test_a_server_that_is_never_ready_is_ended(build_lab: BuildLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    monkeypatch.setattr(dhcp, "DEADLINE", 1.0)
    monkeypatch.setattr(dhcp, "_numbers", count(4711))
    lab.run("ext", ["mkfifo", "/run/dnsmasq-4711.leases"])  # it reads its leases first, and here waits for them
    with pytest.raises(DeadlineExceeded, match=r"(?s)dnsmasq in ext: not ready in 1 s; it was ended\nlog:"):
        dhcp.Server(lab)
    assert not running(lab, "dnsmasq")


def test_a_client_may_ask_again(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(macvlan("bridge")))
    with dhcp.Server(lab):
        first, second = (dhcp.ask(lab, "net1", broadcast=True) for _ in range(2))
    assert first
    assert second == first


def test_names_that_are_not_there(build_lab: BuildLab) -> None:
    topology = dhcp.two_clients(macvlan("bridge"))
    shared = tuple(replace(endpoint, netns="both", child=f"eth{n}") for n, endpoint in enumerate(topology.endpoints))
    lab = build_lab(replace(topology, endpoints=shared))
    for name in ("nobody", "both"):
        with pytest.raises(BadQuestion, match=f"'{name}' is no endpoint.* There are: net1, net2, host"):
            dhcp.ask(lab, name, broadcast=True)
    assert needed.missing("sh") == ""
    assert needed.missing("no-such-program") == (
        "no-such-program is not installed: apt-get install no-such-program")
    assert needed.missing("no-such-program", "sh").count("apt-get") == 1
    with pytest.raises(LabError, match="apt-get install"):
        needed.need("no-such-program")
