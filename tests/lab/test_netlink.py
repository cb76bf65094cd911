"""The library's traps, shown with the library itself; and what one send tells of each of its requests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.namespaces import own_network

ROOT = Path(__file__).resolve().parents[2]


def in_python(program: str, *before: str) -> str:
    """Run a program in a Python of its own: the agent loads pyroute2 in a way that would spoil this process."""
    done = subprocess.run([*before, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


FLAG = """
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
def encoded(flag):
    message = ifinfmsg()
    data = [("IFLA_IPVLAN_MODE", 2), ("IFLA_IPVLAN_FLAGS", flag)]
    info = [("IFLA_INFO_KIND", "ipvlan"), ("IFLA_INFO_DATA", {"attrs": data})]
    message["attrs"] = [("IFLA_LINKINFO", {"attrs": info})]
    message.encode()
    return bytes(message.data)
print(encoded(0) == encoded(1))
"""


def test_pyroute2_alone_drops_the_flag() -> None:
    """When this fails pyroute2 has learned IFLA_IPVLAN_FLAGS, and our class can go."""
    assert in_python(FLAG) == "True\n"


def test_our_class_sends_the_flag() -> None:
    assert in_python("from ipvkit.agent.netlink import load_messages\nload_messages()\n" + FLAG) == "False\n"


def test_what_is_encoded_is_what_is_read_back() -> None:
    program = """
from ipvkit.agent.netlink import load_messages
from ipvkit.agent.requests import MODES, FLAGS, NEWLINK, driver_info, link
from ipvkit.agent.links import driver_of, kind_of
load_messages()
for kind, modes in MODES.items():
    for mode in modes:
        for flag in FLAGS if kind == "ipvlan" else [""]:
            message = link(NEWLINK, attributes=[driver_info(kind, mode, flag)])
            assert (kind_of(message), driver_of(message)) == (kind, (mode, flag)), (kind, mode, flag)
print("all")
"""
    assert in_python(program) == "all\n"


def test_the_light_import_loads_a_fraction_of_the_library() -> None:
    program = """
import sys
from ipvkit.agent.netlink import load_messages
load_messages()
print(sum(name.startswith("pyroute2") for name in sys.modules))
"""
    assert int(in_python(program)) < 40


@pytest.mark.kernel
def test_one_send_tells_which_requests_were_refused_and_why() -> None:
    program = """
from ipvkit.agent.netlink import Socket, load_messages
from ipvkit.agent.requests import CREATE, EXCL, DELLINK, GETLINK, NEWLINK, link
load_messages()
wire = Socket()
up = link(NEWLINK, index=1, flags=1, change=1)
absent = link(NEWLINK, index=77, flags=1, change=1)
wrong = link(NEWLINK, CREATE | EXCL, attributes=[("IFLA_IFNAME", "x"), ("IFLA_LINKINFO", {"attrs": [
    ("IFLA_INFO_KIND", "nothing")]})])
requests = [up, absent, up, wrong] * 100
refused = wire.send(requests)
print(sorted({(r.number % 4, r.errno, r.extack) for r in refused}), len(refused))
print([type(answer).__name__ for answer in wire.ask([link(GETLINK, index=1), link(GETLINK, index=77)])])
"""
    said = in_python(program, *own_network()).splitlines()
    assert said == ["[(1, 19, ''), (3, 95, 'Unknown device type')] 200", "['bytes', 'Refusal']"]


def test_a_filled_template_is_what_the_library_encodes() -> None:
    program = """
from ipvkit.agent import requests
from ipvkit.agent.netlink import load_messages
from ipvkit.plan import plan
from ipvkit.topology import *
load_messages()

class Devices:
    new = staticmethod(lambda *_: 0)
    index = staticmethod(lambda netns, device: 5 + len(netns) + sum(map(ord, device)))
    descriptor = staticmethod(lambda netns: 40 + len(netns))

topologies = [Topology.of(driver, routes=routes, net1="10.0.1.11/24 fd00:1::11/64", net22="192.168.1.10/30",
                          n="10.0.1.13/32").after(
    RemoveAddress("net1", "10.0.1.11/24"), AddRoute("net1", Route("fd00:5::/64", via="fd00:1::1")),
    AddRoute("host", Route("10.6.0.0/16", kind="blackhole")), LinkDown("host"),
    RemoveRoute("host", Route("default", via="10.0.1.1")))
    for driver in (ipvlan("l3s", "vepa"), macvlan("source")) for routes in ("device", "gateway")]
steps = [step.as_json() for topology in topologies for step in plan(topology) if step.as_json()["do"] != "Sysctl"]

def encoded():
    return [list(requests.REQUESTS[step["do"]](step, Devices)) for step in steps]

filled, again = encoded(), encoded()
requests.fill = lambda shape, make, **values: make(**{hole: value.parse(value.raw) for hole, value in values.items()})
assert filled == again == encoded()
print(len(steps) > 150)
"""
    assert in_python(program) == "True\n"
