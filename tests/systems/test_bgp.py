"""The way to l3 children: none, a static route, and the same route by BGP, announced and withdrawn while it runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ipvkit.errors import BadQuestion, DeadlineExceeded, LabError
from ipvkit.lab import Lab
from ipvkit.systems import bgp
from ipvkit.topology import AddRoute, LinkDown, Route, Topology
from tests.systems.installed import needs
from tests.systems.processes import running
from tests.systems.theory import compared

pytestmark = [pytest.mark.kernel, needs("bird", "birdc")]
BuildLab = Callable[[Topology], Lab]
WORLD = bgp.l3_subnets(net1="10.0.11.1/24", net2="10.0.12.1/24")
TO_FIRST, TO_SECOND = (AddRoute("router", Route(network, via=bgp.HOST)) for network in bgp.subnets(WORLD))
NO_WAY = "network unreachable, says router"


def asked(lab: Lab) -> tuple[str, str]:
    return str(lab.ping("far", "net1")), str(lab.ping("far", "net2"))


def test_without_a_route_the_router_says_no(build_lab: BuildLab) -> None:
    lab = build_lab(WORLD)
    assert asked(lab) == (NO_WAY, NO_WAY)
    assert compared(lab)


def test_a_static_route_by_way_of_the_host_is_enough(build_lab: BuildLab) -> None:
    lab = build_lab(WORLD)
    lab.apply(TO_FIRST)
    assert asked(lab) == ("reply, ttl 63", NO_WAY)
    assert compared(lab)


def test_bgp_announces_and_withdraws_while_it_runs(build_lab: BuildLab) -> None:
    lab = build_lab(WORLD)
    both = tuple(bgp.subnets(WORLD))
    assert both == ("10.0.11.0/24", "10.0.12.0/24")
    with bgp.Session(lab) as session:
        assert session.learned() == ()
        assert asked(lab) == (NO_WAY, NO_WAY)
        session.announce(both[0])
        assert session.learned() == both[:1]
        assert asked(lab) == ("reply, ttl 63", NO_WAY)
        session.announce(*both)
        assert asked(lab) == ("reply, ttl 63", "reply, ttl 63")
        assert compared(lab, WORLD.after(TO_FIRST, TO_SECOND))  # the route is all that BGP is to the packets
        session.announce(both[1])
        assert asked(lab) == (NO_WAY, "reply, ttl 63")
        session.stop_announcing()
        assert session.learned() == ()
        assert asked(lab) == (NO_WAY, NO_WAY)
    assert not session.router.running


def test_what_goes_wrong_is_said(build_lab: BuildLab) -> None:
    lab = build_lab(WORLD)
    with bgp.Session(lab) as session:
        with pytest.raises(BadQuestion, match="host bits"):
            session.announce("10.0.11.1/24")
        assert session.learned() == ()
        # a second one at the same place: the first one's port may be taken for its own, then the host's says it
        with pytest.raises(LabError, match=r"(?s)bird in (router|host): ended with exit status 1.*log:.*another BIRD"):
            bgp.Session(lab)
        assert session.router.running


def test_a_session_that_does_not_come_up_ends_in_its_deadline_and_nothing_runs_on(
    build_lab: BuildLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = build_lab(WORLD)
    lab.apply(LinkDown("host"))
    monkeypatch.setattr(bgp, "DEADLINE", 6.0)
    with pytest.raises(DeadlineExceeded, match=r"(?s)bird in host: not ready in 6 s; it was ended\nlog:.*world: State"):
        bgp.Session(lab)
    assert not running(lab, "bird")


def test_one_address_and_all_of_them_are_networks_too(build_lab: BuildLab) -> None:
    with bgp.Session(build_lab(WORLD)) as session:
        session.announce("10.0.11.7/32", "0.0.0.0/0", "10.0.12.0/255.255.255.0")
        assert session.learned() == ("0.0.0.0/0", "10.0.11.7/32", "10.0.12.0/24")
        with pytest.raises(BadQuestion, match="is no network"):
            session.announce("fd00:1::/64")
