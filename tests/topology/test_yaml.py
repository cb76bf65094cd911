"""YAML is loss-free both ways, and what it would silently bend is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from ipvkit.errors import TopologyError
from ipvkit.topology import LinkDown, SetForwarding, Topology, ipvlan, macvlan
from tests.topology.worlds import topologies

CLASSIC = Topology.of(ipvlan("l3"), net1="10.0.1.10/24", net2="192.168.1.10/24")


@given(topologies())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_topology_comes_back_as_it_was(topology: Topology) -> None:
    assert Topology.from_yaml(topology.to_yaml()) == topology
    assert Topology.from_yaml(topology.to_yaml(full=True)) == topology


@given(topologies())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_means_the_same_to_any_yaml_reader(topology: Topology) -> None:
    plain = yaml.safe_load(topology.to_yaml(full=True))
    assert list(plain["hosts"]) == [host.name for host in topology.hosts]
    assert list(plain.get("endpoints", [])) == [endpoint.name for endpoint in topology.endpoints]


@pytest.mark.parametrize("routes", ["device", "gateway", "none"])
@pytest.mark.parametrize("hairpin", [False, True])
@pytest.mark.parametrize("driver", [ipvlan("l2", "private"), macvlan("bridge")])
def test_a_default_world_is_written_in_the_short_form(driver, routes, hairpin) -> None:  # type: ignore[no-untyped-def]
    world = Topology.of(driver, routes=routes, hairpin=hairpin, net1="10.0.1.10/24 fd00:1::10/64", net2="10.7.0.9/16")
    text = world.after(LinkDown("ext")).to_yaml()
    assert text.startswith(f"driver: {driver}\n")
    assert "hosts" not in text
    assert Topology.from_yaml(text) == world.after(LinkDown("ext"))


def test_the_short_form_as_one_writes_it_by_hand() -> None:
    assert Topology.from_yaml("driver: ipvlan l3\nendpoints: {net1: 10.0.1.10/24, net2: 192.168.1.10/24}") == CLASSIC
    in_lists = "driver: ipvlan l3\nendpoints:\n  net1: [10.0.1.10/24]\n  net2: [192.168.1.10/24]\n"
    assert Topology.from_yaml(in_lists) == CLASSIC


def test_a_file_is_read_by_its_path_and_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(CLASSIC.to_yaml(full=True))
    assert Topology.from_yaml(file) == Topology.from_yaml(str(file)) == CLASSIC


def test_words_stay_the_words_they_look_like() -> None:
    """YAML 1.1 reads the MAC as a number in base 60, and ``on`` as true."""
    text = """hosts: {h: {interfaces: {eth0: {mac: 12:34:56:00:00:02}}}}
changes: [{SetForwarding: {place: h, on: true}}]"""
    topology = Topology.from_yaml(text)
    assert topology.hosts[0].interfaces[0].mac == "12:34:56:00:00:02"
    assert topology.changes == (SetForwarding("h", True),)


SHORT = "driver: ipvlan l2\nendpoints: {net1: 10.0.1.11/24}\n"
ONE_HOST = "hosts: {h: {interfaces: {eth0: {addresses: [10.0.1.2/24]}}}}\n"
BAD = {
    "": ("YAML", "is not a topology", "Begin with hosts:"),
    "just some words": ("YAML", "is not a topology", "Begin with hosts:"),
    "- a\n- list\n": ("YAML", "is not a topology", "Begin with hosts:"),
    "{\n": ("YAML line 2 column 1", "expected", "Compare the indentation"),
    "a: b: c": ("YAML line 1 column 5", "mapping values are not allowed", "Compare"),
    "\thosts: {}": ("YAML line 1 column 1", r"'\t'", "spaces, not with tabs"),
    "hosts: {}\x00": ("YAML character 10", "not YAML text", "UTF-8"),
    "hosts: {}\n---\nhosts: {}": ("YAML line 2 column 1", "another document", "Compare"),
    "a: &x [1]\nhosts: *x": ("YAML line 2 column 8", "*x is a reference", "Write out"),
    "hosts: !!python/name:os.system ": ("YAML line 1 column 8", "is a tag", "Leave it out"),
    "!!timestamp x": ("YAML line 1 column 1", "is a tag", "Leave it out"),
    "[" * 5000: ("YAML", "nested too deeply", "brackets"),
    "hosts: " + "9" * 5000: ("YAML", "not YAML", "Mend"),
    "hosts: {7: {}}": ("YAML line 1 column 9", "'7' is not a name in text", "quotes"),
    "hosts: {[a]: {}}": ("YAML line 1 column 9", "a list or mapping is not a name", "quotes"),
    SHORT + "colour: red": ("YAML: colour", "no such field in the short form", "hosts"),
    "driver: ipvlan l2": ("YAML: endpoints", "is missing", "endpoints: {net1"),
    "driver: ipvlan l2\nendpoints:": ("YAML: endpoints", "has nothing in it", "net1: 10.0.1.10/24"),
    "driver: ipvlan l4\nendpoints: {}": ("YAML: driver.mode", "'l4' is not known", "l2, l3, l3s"),
    "driver: vxlan l2\nendpoints: {}": ("YAML: driver.kind", "'vxlan' is not known", "ipvlan, macvlan"),
    "driver: ipvlan\nendpoints: {}": ("YAML: driver", "'ipvlan' is not a driver", "ipvlan l2 private"),
    "driver: macvlan bridge private\nendpoints: {}": ("YAML: driver.flag", "'private' is not known", "none at all"),
    "driver: ipvlan l2\nendpoints: {net1: 10.0.1.300/24}": ("YAML: endpoints.net1", "10.0.1.300", "10.0.1.11/24"),
    "driver: ipvlan l2\nendpoints: {net1: 10.0.1.11}": ("YAML: endpoints.net1", "prefix length", "10.0.1.11/24"),
    "driver: ipvlan l2\nendpoints: {net1: 7}": ("YAML: endpoints.net1", "7 is not an address", "10.0.1.11/24"),
    "driver: ipvlan l2\nendpoints: {net1: fe80::1%eth0/64}": ("YAML: endpoints.net1", "%eth0", "fd00:1::11/64"),
    "driver: ipvlan l2\nendpoints: {net1: 10.0.1.1/8, net1: 10.0.1.2/8}":
        ("YAML line 2 column 31", "'net1' is here a second time", "its own name"),
    "driver: ipvlan l2\nendpoints: {router: 10.0.1.11/24}": ("YAML: endpoints.router", "name is taken", "its own"),
    SHORT + "routes: maybe": ("YAML: routes", "'maybe'", "device, gateway, none"),
    SHORT + "hairpin: 1": ("YAML: hairpin", "1 is neither", "true or false"),
    SHORT + "changes: {}": ("YAML: changes", "is not a list", "[one, another]"),
    SHORT + "changes: [{Explode: {place: net1}}]": ("YAML: changes[0]", "is not a change", "LinkDown"),
    SHORT + "changes: [{LinkDown: {place: net9}}]": ("YAML: changes[0].place", "no place 'net9'", "host, ext"),
    SHORT + "changes: [{LinkDown: {place: net1, device: eth9}}]":
        ("YAML: changes[0].device", "net1 has no device 'eth9'", "ipv1"),
    SHORT + "changes: [{Unplug: {place: net1}}]": ("YAML: changes[0].device", "net1.ipv1 has no cable", "host.eth0"),
    SHORT + "changes: [{SetMode: {place: ext, driver: ipvlan l3}}]":
        ("YAML: changes[0].place", "ext is not an endpoint", "net1"),
    SHORT + "changes: [{SetMode: {place: net1, driver: macvlan vepa}}]":
        ("YAML: changes[0].driver", "a child keeps its driver", "a mode of ipvlan"),
    SHORT + "changes: [{SetMac: {place: net1, mac: 01:00:00:00:00:01}}]":
        ("YAML: changes[0].mac", "not the address of one station", "even"),
    SHORT + "changes: [{LinkDown: {place: net2}}, {AddEndpoint: {place: host, endpoint: {name: net2, "
            "driver: ipvlan l2}}}]": ("YAML: changes[0].place", "no place 'net2'", "net1"),
    "hosts: {h: {interfaces: {eth0: {mtu: big}}}}":
        ("YAML: hosts.h.interfaces.eth0.mtu", "'big' is out of range", "68 to 65535"),
    "hosts: {h: {interfaces: {sixteen-letters-: }}}":
        ("YAML: hosts.h.interfaces.sixteen-letters-.name", "has 16 characters", "15"),
    "hosts: {h: {interfaces: {eth0.5: {addresses: [10.0.1.2]}}}}":
        ("YAML: hosts.h.interfaces.eth0.5.addresses[0]", "prefix length", "10.0.1.11/24"),
    "hosts: {h: {routes: [default over there]}}": ("YAML: hosts.h.routes[0]", "is not a route", "default via"),
    "hosts: {h: {routes: [default6 via 10.0.1.1]}}": ("YAML: hosts.h.routes[0].via", "family", "IPv6 gateway"),
    "hosts: {h: {colour: red}}": ("YAML: hosts.h.colour", "no such field", "interfaces, vlans"),
    "hosts: [h]": ("YAML: hosts", "is not a mapping", "name: "),
    ONE_HOST + "endpoints: {a: {}}": ("YAML: endpoints.a.driver", "is missing", "driver"),
    ONE_HOST + "endpoints: {a: {driver: ipvlan l2, host: h, parent: eth7}}":
        ("YAML: endpoints.a.parent", "h has no device 'eth7'", "eth0"),
    ONE_HOST + "endpoints: {a: {driver: ipvlan l2, host: g}}": ("YAML: endpoints.a.host", "no host 'g'", "h"),
    ONE_HOST + "endpoints: {a: {driver: ipvlan l2, host: h, mac: 02:00:00:00:09:09}}":
        ("YAML: endpoints.a.mac", "its parent's MAC", "macvlan"),
    ONE_HOST + "endpoints: {a: {driver: ipvlan l2, host: h, netns: h, child: eth0}}":
        ("YAML: endpoints.a.child", "h has a device 'eth0' already", "another name"),
    ONE_HOST + "cables: [[h.eth0, g.eth0]]": ("YAML: cables[0]", "no NIC g.eth0", "h.eth0"),
    ONE_HOST + "cables: [[h.eth0]]": ("YAML: cables[0]", "two ends", "router.eth1"),
    ONE_HOST + "switches: {s: {ports: [{host: h, interface: eth0}, {host: h, interface: eth0}]}}":
        ("YAML: switches.s.ports[1]", "has a wire already", "one"),
}  # fmt: skip


@pytest.mark.parametrize("text", list(BAD), ids=lambda text: repr(text[:40]))
def test_a_refusal_names_file_field_and_fix_on_one_line(text: str) -> None:
    field, problem, fix = BAD[text]
    with pytest.raises(TopologyError) as caught:
        Topology.from_yaml(text)
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert fix in caught.value.fix
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary, cut = tmp_path / "picture.yaml", tmp_path / "cut.yaml"
    binary.write_bytes(b"\x89PNG\r\n\xff\xfe")
    cut.write_text("hosts: {h: [")
    for path, problem in [(tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory"),
                          (binary, "not a text file"), (Path("a\x00.yaml"), "null byte")]:
        with pytest.raises(TopologyError, match=problem) as caught:
            Topology.from_yaml(path)
        assert caught.value.field == str(path)
    with pytest.raises(TopologyError) as caught:
        Topology.from_yaml(cut)
    assert caught.value.field == f"{cut} line 1 column 13"
