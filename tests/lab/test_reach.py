"""Who reached whom: the fast matrix says what ``ping`` says, pair by pair, cold, in any order."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterable

import pytest

from ipvkit.errors import BadQuestion
from ipvkit.lab import Lab
from ipvkit.topology import AddRoute, Driver, Route, SetMtu, Topology, ipvlan, macvlan

pytestmark = pytest.mark.kernel
BuildLab = Callable[[Topology], Lab]

DRIVERS = [ipvlan("l2"), ipvlan("l3"), ipvlan("l3s"), macvlan("bridge")]
ADDRESSES = {"net1": "10.0.1.11/24 fd00:1::11/64", "net2": "10.0.1.12/24 fd00:1::12/64",
             "net3": "192.168.1.10/24 fd00:3::10/64"}

#: What iputils' ping prints, and the verdict it means; the first that is found counts.
SAID = [(r"bytes from", "reply"), (r"Destination Host Unreachable|Address unreachable", "host unreachable"),
        (r"Destination Net Unreachable|No route|Network is unreachable", "network unreachable"),
        (r"No buffer space", "no buffers"), (r"Time to live exceeded|Hop limit", "ttl exceeded"),
        (r"Message too long|message too long", "message too long")]


def default_world(driver: Driver) -> Topology:
    return Topology.of(driver, **ADDRESSES)


def shuffled(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the pairs in an order that is another each time, and is printed: who fails in it can be asked so again."""
    seed, order = random.randrange(1 << 32), list(pairs)
    print(f"order of the pairs: random.Random({seed})")
    random.Random(seed).shuffle(order)
    return order


def real_ping(lab: Lab, src: str, address: str, patience: float = 0.3) -> tuple[str, str]:
    """Empty every cache with iproute2, send one echo request with iputils; give verdict and TTL."""
    places = [*dict.fromkeys(lab.topology.netns(name) for name in lab.topology.names)]
    flush = "".join(f"ip -n {place} neigh flush all 2>/dev/null; " for place in places)
    said = lab.run(src, f"{flush} ping -c 1 -W {patience} -n {address} 2>&1", show=lambda _: None).output
    ttl = re.search(r"ttl=(\d+)", said)
    return next((verdict for pattern, verdict in SAID if re.search(pattern, said)), "timeout"), ttl[1] if ttl else ""


def compare_with_ping(lab: Lab, family: int, pairs: int, link_local: bool = False) -> list[str]:
    matrix = lab.ping_matrix(family, link_local=link_local)
    wrong = []
    for src, dst in shuffled(matrix.pairs)[:pairs]:
        answer = matrix.pairs[src, dst]
        expected = (answer.verdict, str(answer.ttl or ""))
        said = real_ping(lab, src, answer.address)
        if said != expected and said[0] == "timeout":  # perhaps it did not wait long enough on a busy computer
            said = real_ping(lab, src, answer.address, patience=3)
        if said != expected:
            wrong.append(f"{answer!r}, but ping: {said}")
    return wrong


@pytest.mark.parametrize("driver", DRIVERS, ids=str)
def test_the_matrix_agrees_with_ping_on_a_sample_of_pairs(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(default_world(driver))
    assert compare_with_ping(lab, 4, pairs=6) == []
    assert compare_with_ping(lab, 6, pairs=4) == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("driver", DRIVERS, ids=str)
def test_the_matrix_agrees_with_ping_on_every_pair(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(default_world(driver))
    assert [wrong for family in (4, 6) for wrong in compare_with_ping(lab, family, pairs=1000)] == []


@pytest.mark.parametrize("driver", [*DRIVERS, ipvlan("l2", "private"), ipvlan("l2", "vepa"), macvlan("vepa")], ids=str)
@pytest.mark.parametrize("family", [4, 6])
def test_all_at_once_says_what_one_at_a_time_says(build_lab: BuildLab, driver: Driver, family: int) -> None:
    lab = build_lab(default_world(driver))
    matrix = lab.ping_matrix(family)
    assert {pair: lab.ping(*pair, family=family) for pair in shuffled(matrix.pairs)} == matrix.pairs


def test_the_matrix_is_in_declared_order_and_reads_the_same_every_time(build_lab: BuildLab) -> None:
    lab = build_lab(default_world(macvlan("bridge")))
    matrix = lab.ping_matrix()
    assert matrix.names == lab.topology.names
    assert repr(lab.ping_matrix()) == repr(matrix)
    assert repr(matrix).splitlines()[:2] == [
        "ping, IPv4, caches cold, measured",
        "from ↓ to →  net1              net2              net3                 host              ext      router   far"]
    assert matrix._repr_html_().count("<td") == 49


def test_each_failure_has_its_own_word(build_lab: BuildLab) -> None:
    lab = build_lab(default_world(ipvlan("l3")))
    assert str(lab.ping("net1", "net3")) == "reply, ttl 64"
    assert str(lab.ping("ext", "far")) == "reply, ttl 63"
    assert str(lab.ping("ext", "net1")) == "host unreachable, says ext"
    assert str(lab.ping("ext", "net3")) == "network unreachable, says router"
    assert str(lab.ping("far", "net1")) == "host unreachable, says router"
    assert str(lab.ping("net1", "ext")) == "timeout"
    assert str(lab.ping("net1", "255.255.255.255")) in ("prohibited", "timeout")
    assert str(lab.ping("ext", "far", ttl=1)) == "ttl exceeded, says router"
    too_long = lab.ping("ext", "far", size=3000, fragment=False)
    assert (too_long.verdict, too_long.errno) == ("message too long", "EMSGSIZE")
    assert lab.ping("ext", "far", size=3000)


def test_a_refused_send_keeps_its_errno(build_lab: BuildLab) -> None:
    lab = build_lab(Topology.of(macvlan("bridge"), routes="none", net1="10.0.1.11/24", net2="10.0.2.12/24"))
    answer = lab.ping("net1", "net2")
    assert (answer.verdict, answer.errno) == ("network unreachable", "ENETUNREACH")
    for kind, verdict in (("unreachable", "host unreachable"), ("prohibit", "prohibited")):
        lab = build_lab(Topology.of(macvlan("bridge"), routes="none", net1="10.0.1.11/24"))
        lab.apply(AddRoute("net1", Route("10.9.0.0/16", kind=kind)))
        assert lab.ping("net1", "10.9.1.1").verdict == verdict


def test_a_smaller_mtu_on_the_way_is_told_by_the_router(build_lab: BuildLab) -> None:
    lab = build_lab(default_world(macvlan("bridge")))
    lab.apply(SetMtu("router", 1400, "eth1"))
    lab.apply(SetMtu("far", 1400))
    answer = lab.ping("ext", "far", size=1450, fragment=False)
    assert str(answer) == "message too long, says router"


def test_caches_count_only_if_they_are_named(build_lab: BuildLab) -> None:
    """One permanent entry turns the no of an l3 child's own subnet into a yes: a cold question removes what was learned
    and keeps what somebody wrote down."""
    lab = build_lab(default_world(macvlan("bridge")))
    assert lab.ping("net1", "ext")
    assert {entry.address for entry in lab.state().neighbours} >= {"10.0.1.11", "10.0.1.3"}
    assert not lab.ping("net1", "10.0.1.99")
    assert not {entry.address for entry in lab.state().neighbours} & {"10.0.1.11", "10.0.1.3"}
    lab.ping("net1", "ext")
    lab.ping("net1", "10.0.1.99", caches="as they were")
    assert {entry.address for entry in lab.state().neighbours} >= {"10.0.1.11", "10.0.1.3"}


BAD = [({"src": "net9", "dst": "net1"}, "src"), ({"src": "net1", "dst": "nobody"}, "dst"),
       ({"src": "net1", "dst": "10.0.1.300"}, "dst"), ({"src": "net1", "dst": "net2", "family": 5}, "family"),
       ({"src": "net1", "dst": "net2", "caches": "warm"}, "caches"),
       ({"src": "net1", "dst": "net2", "size": 3}, "size"),
       ({"src": "net1", "dst": "10.0.1.12", "link_local": True}, "dst"),
       ({"src": "net1", "dst": "fe80::1%eth7"}, "dst")]


@pytest.mark.parametrize("driver", DRIVERS, ids=str)
def test_link_local_addresses_are_asked_through_the_senders_device(build_lab: BuildLab, driver: Driver) -> None:
    lab = build_lab(default_world(driver))
    assert compare_with_ping(lab, 6, 15, link_local=True) == []
    answer = lab.ping("net1", "net2", link_local=True)
    assert answer
    assert answer.address.startswith("fe80::")
    assert answer.address.endswith(f"%{lab.topology.device('net1')}")
    assert lab.ping("net1", answer.address)  # the same, written out


def test_without_ipv6_nobody_has_a_link_local_address(build_lab: BuildLab) -> None:
    lab = build_lab(Topology.of(macvlan("bridge"), net1="10.0.1.11/24"))
    assert lab.ping_matrix(link_local=True).names == ()
    with pytest.raises(BadQuestion, match="nobody; declare an IPv6 address"):
        lab.ping("net1", "host", link_local=True)


@pytest.mark.parametrize(("question", "field"), BAD, ids=[f"{q['dst']}-{f}" for q, f in BAD])
def test_a_bad_question_names_the_field_and_the_lab_goes_on(
    build_lab: BuildLab, question: dict[str, object], field: str
) -> None:
    lab = build_lab(default_world(macvlan("bridge")))
    with pytest.raises(BadQuestion) as caught:
        lab.ping(**question)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert lab.ping("net1", "net2")


@pytest.mark.parametrize("driver", [ipvlan("l2"), macvlan("bridge")], ids=str)
def test_no_wrong_verdict_among_a_thousand_at_the_kernels_default_settings(build_lab: BuildLab, driver: Driver) -> None:
    """Two neighbour entries a pair: more than twice what the kernel's table holds (gc_thresh3 = 1 024)."""
    topology = Topology.of(driver, **{f"net{i}": f"10.0.1.{10 + i}/24" for i in range(1, 41)})
    lab = build_lab(topology)
    if lab.machine.name == "uml":
        settings = " ".join(f"net.ipv4.neigh.default.gc_thresh{level}={value}"
                            for level, value in ((1, 128), (2, 512), (3, 1024)))
        assert lab.run("host", f"nsenter --net=/proc/1/ns/net sysctl -qw {settings}").status == 0
    matrix = lab.ping_matrix()
    among = [answer for (src, dst), answer in matrix.pairs.items() if src.startswith("net") and dst.startswith("net")]
    assert {answer.verdict for answer in among} == {"reply"}
    assert len(among) == 40 * 39
    assert {matrix.pairs["far", f"net{i}"].verdict for i in range(1, 41)} == {"timeout"}
    assert {matrix.pairs[f"net{i}", "host"].verdict for i in range(1, 41)} == {"host unreachable"}


def test_more_missing_routes_than_a_router_may_tell_of(build_lab: BuildLab) -> None:
    """A kernel that is not the lab's own lets a router speak of five missing routes, then of one a second."""
    lab = build_lab(Topology.of(macvlan("bridge"), **{f"net{i}": f"192.168.{i}.10/24" for i in range(1, 13)}))
    for _ in range(2):
        matrix = lab.ping_matrix()
        assert {str(matrix.pairs["ext", f"net{i}"]) for i in range(1, 13)} == {"network unreachable, says router"}


@pytest.mark.usefixtures("by_turns")
@pytest.mark.parametrize("times", [10, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_busy_computer_changes_no_verdict(build_lab: BuildLab, times: int) -> None:
    lab = build_lab(default_world(ipvlan("l2")))
    quiet = lab.ping_matrix()
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        assert [lab.ping_matrix() for _ in range(times)] == [quiet] * times
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
