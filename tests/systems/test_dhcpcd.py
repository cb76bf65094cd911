"""The second client, dhcpcd: its own identifier is not enough on ipvlan, and what is enough."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipvkit.errors import BadQuestion, LabError
from ipvkit.lab import Lab
from ipvkit.systems import dhcp, dhcpcd
from ipvkit.topology import Topology, ipvlan, macvlan
from tests.systems.installed import needs

pytestmark = [pytest.mark.kernel, needs("dnsmasq", "dhcpcd")]
BuildLab = Callable[[Topology], Lab]
FIRST, SECOND = "10.0.1.100", "10.0.1.101"
HOST_MAC = "02:00:00:00:00:01"


def packets(lease: dhcp.Lease) -> dict[str, tuple[str, list[str]]]:
    return {kind: (to, seen.split(", ")) for kind, to, seen in lease.packets.rows}


def test_ipvlan_as_installed_the_offer_dies_in_the_host(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab):
        lease = dhcpcd.ask(lab, "net1")  # "in most cases, dhcpcd will set" the flag "automatically": not here
    assert str(lease) == "no lease"
    to, seen = packets(lease)["OFFER"]
    assert (to, seen[-1]) == (HOST_MAC, "host")
    assert "REQUEST" not in packets(lease)


def test_ipvlan_its_own_identifier_is_one_for_both_children(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab) as server:
        first, second = (dhcpcd.ask(lab, name, broadcast=True) for name in ("net1", "net2"))
        assert server.leases().rows == ((FIRST, HOST_MAC, "IAID 00:00:00:01 + DUID"),)
    assert str(first) == FIRST
    assert (second.address, second.refused) == (FIRST, "Address already in use")
    assert packets(second)["OFFER"][0] == "everyone"


@pytest.mark.parametrize("said", ["client_id", "iaid"])
def test_ipvlan_with_the_flag_and_an_identifier_each_has_an_address(build_lab: BuildLab, said: str) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l2")))
    with dhcp.Server(lab) as server:
        if said == "iaid":
            leases = [dhcpcd.ask(lab, f"net{n}", broadcast=True, iaid=n) for n in (1, 2)]
        else:
            leases = [dhcpcd.ask(lab, name, broadcast=True, client_id=name) for name in ("net1", "net2")]
        known = [row[2] for row in server.leases().rows]
    assert list(map(str, leases)) == [FIRST, SECOND]
    assert known == (["net1", "net2"] if said == "client_id" else
                     ["IAID 00:00:00:01 + DUID", "IAID 00:00:00:02 + DUID"])
    assert str(lab.ping("ext", SECOND)) == "reply, ttl 64"


def test_macvlan_as_installed_each_has_an_address(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(macvlan("bridge")))
    with dhcp.Server(lab) as server:
        assert [str(dhcpcd.ask(lab, name)) for name in ("net1", "net2")] == [FIRST, SECOND]
        assert [row[2] for row in server.leases().rows] == ["IAID 00:01:00:01 + DUID", "IAID 00:01:00:02 + DUID"]


def test_ipvlan_l3_cannot_even_send_the_question(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(ipvlan("l3")))
    with dhcp.Server(lab):
        lease = dhcpcd.ask(lab, "net1", broadcast=True, client_id="net1")
    assert str(lease) == "cannot send: No buffer space available"
    assert packets(lease) == {"DISCOVER": ("everyone", ["net1"])}


def test_what_it_does_not_understand_is_said_with_its_log(build_lab: BuildLab) -> None:
    lab = build_lab(dhcp.two_clients(macvlan("bridge")))
    with pytest.raises(BadQuestion, match="nobody"):
        dhcpcd.ask(lab, "nobody")
    lab.run("net1", ["ip", "link", "delete", lab.topology.device("net1")])
    with pytest.raises(LabError, match=r"(?s)dhcpcd in net1 failed\nlog:\n.*macv1"):
        dhcpcd.ask(lab, "net1")
