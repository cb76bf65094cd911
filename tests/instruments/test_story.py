"""Frames are read as the RFCs say, and told in the same order however they come in."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ipvkit.instruments.frames import Frame, decode
from ipvkit.instruments.pcapng import pcapng
from ipvkit.instruments.story import Map, late, tell
from ipvkit.lab import Lab
from ipvkit.topology import Host, Interface, Port, Switch, Topology, Vlan, ipvlan, macvlan

EVERYONE, PARENT, EXT = bytes.fromhex("ffffffffffff"), bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
LAN = Topology.of(ipvlan("l2"), net1="10.0.1.11/24", net2="10.0.1.12/24")


def four(address: str) -> bytes:
    return socket.inet_aton(address)


def arp(asks: bool, sender_mac: bytes, sender: str, target: str, to: bytes = EVERYONE) -> bytes:
    fixed = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1 if asks else 2)
    return to + sender_mac + b"\x08\x06" + fixed + sender_mac + four(sender) + bytes(6) + four(target)


def icmp(kind: int, code: int, source: str, destination: str, ttl: int = 64) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 28, 1, 0, ttl, 1, 0) + four(source) + four(destination)
    return EXT + PARENT + b"\x08\x00" + header + struct.pack("!BBHHH", kind, code, 0, 7, 1)


def frame(netns: str, device: str, reception: str, data: bytes, at: int, tag: int | None = None) -> Frame:
    return Frame(netns, device, reception, data, len(data), at, tag)


def test_arp_is_read_as_rfc_826_says() -> None:
    question = decode(arp(True, PARENT, "10.0.1.11", "10.0.1.12"))
    answer = decode(arp(False, EXT, "10.0.1.3", "10.0.1.11"))
    assert (question.protocol, question.words) == ("ARP", "who has 10.0.1.12? tell 10.0.1.11")
    assert answer.words == "10.0.1.3 is at 02:00:00:00:00:02"
    assert question.ttl is None


@pytest.mark.parametrize(("kind", "code", "words"), [
    (8, 0, "echo request"), (0, 0, "echo reply"), (3, 1, "host unreachable"), (3, 0, "network unreachable"),
    (11, 0, "time exceeded"), (5, 1, "redirect"), (42, 0, "ICMP type 42"),
])
def test_icmp_is_read_as_rfc_792_says(kind: int, code: int, words: str) -> None:
    message = decode(icmp(kind, code, "10.0.1.11", "10.0.1.3", ttl=61))
    assert (message.words, message.ttl) == (f"{words} 10.0.1.11 → 10.0.1.3", 61)


def test_neighbour_discovery_is_read_as_rfc_4861_says() -> None:
    source, target = socket.inet_pton(socket.AF_INET6, "fd00:1::11"), socket.inet_pton(socket.AF_INET6, "fd00:1::12")
    group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:12")
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target
    packet = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group + body
    message = decode(bytes.fromhex("3333ff000012") + PARENT + b"\x86\xdd" + packet)
    assert (message.words, message.ttl, message.resolves) == ("neighbour solicitation for fd00:1::12", 255, True)


@pytest.mark.parametrize("cut", range(14, 43))
def test_a_frame_cut_short_is_named_and_never_guessed(cut: int) -> None:
    whole = arp(True, PARENT, "10.0.1.11", "10.0.1.12")
    assert decode(whole[:cut]).protocol == ("ARP" if cut == len(whole) else "0x0806")


def test_the_order_does_not_depend_on_the_order_of_arrival_nor_on_equal_stamps() -> None:
    question = arp(True, PARENT, "10.0.1.11", "10.0.1.3")
    answer = arp(False, EXT, "10.0.1.3", "10.0.1.11", to=PARENT)
    seen = [
        frame("net1", "ipv1", "out", question, 100),
        frame("host", "eth0", "out", question, 200),
        frame("switch", "p1", "broadcast", question, 300),
        frame("switch", "p2", "out", question, 400),
        frame("ext", "eth0", "broadcast", question, 500),
        frame("ext", "eth0", "out", answer, 600),
        frame("host", "eth0", "own", answer, 700),  # parent and child share the stamp
        frame("net1", "ipv1", "own", answer, 700),
        frame("net2", "ipv2", "broadcast", question, 800),  # a work queue was late
    ]
    told = tell(LAN, seen)
    words = ["who has 10.0.1.3? tell 10.0.1.11", "10.0.1.3 is at 02:00:00:00:00:02"]
    assert [step.message.words for step in told] == words
    assert [netns for netns, _ in told[0].places] == ["net1", "host", "net2", "switch", "switch", "ext"]
    assert [netns for netns, _ in told[1].places] == ["ext", "host", "net1"]
    shuffler = random.Random(3)
    for _ in range(50):
        shuffler.shuffle(seen)
        assert [step.places for step in tell(LAN, seen)] == [step.places for step in told]


def test_a_coarse_clock_does_not_turn_a_wire_round() -> None:
    answer = arp(False, PARENT, "10.0.1.11", "10.0.1.3", to=EXT)
    way = [("net1", "ipv1", "out", 1), ("host", "eth0", "out", 2), ("switch", "p1", "other", 2),
           ("switch", "p2", "out", 3), ("ext", "eth0", "own", 3)]
    seen = [frame(netns, device, reception, answer, at) for netns, device, reception, at in way]
    (step,) = tell(LAN, reversed(seen))
    assert step.places == tuple((netns, device) for netns, device, _, _ in way)


@pytest.mark.kernel
def test_a_frame_is_one_step_with_its_tag_and_without(build_lab: Callable[[Topology], Lab]) -> None:
    topology = Topology(
        (Host("host", (Interface("eth0"),), (Vlan("eth0.30", "eth0", 30, ("10.0.5.2/24",)),)),
         Host("ext", (Interface("eth0", ("10.0.5.3/24",)),))),
        switches=(Switch("switch", (Port("host", "eth0", tagged=(30,)), Port("ext", "eth0", untagged=30))),))
    seen = build_lab(topology).trace("host", "10.0.5.3")
    assert [step.message.words.split()[:2] for step in seen.steps] == [
        ["who", "has"], ["10.0.5.3", "is"], ["echo", "request"], ["echo", "reply"]]
    assert seen.rows[2][-1] == "host.eth0.30 → host.eth0 (VLAN 30) → switch.p1 (VLAN 30) → switch.p2 → ext.eth0"


def test_repeated_questions_are_counted() -> None:
    question = arp(True, PARENT, "10.0.1.11", "10.0.1.99")
    seen = [frame(netns, device, way, question, at + delay) for at in (0, 10_000, 20_000)
            for delay, (netns, device, way) in enumerate([("net1", "ipv1", "out"), ("host", "eth0", "out")])]
    (step,) = tell(LAN, seen)
    assert (step.times, step.netnses) == (3, ("net1", "host"))


def test_an_answer_stands_behind_its_question() -> None:
    first, second = arp(True, PARENT, "10.0.1.11", "10.0.1.3"), arp(True, EXT, "10.0.1.3", "10.0.1.99")
    answer = arp(False, EXT, "10.0.1.3", "10.0.1.11", to=PARENT)
    seen = [frame("net1", "ipv1", "out", first, 1), frame("ext", "eth0", "out", second, 2),
            frame("ext", "eth0", "out", answer, 3)]
    assert [step.frames[0].data for step in tell(LAN, seen)] == [first, answer, second]


def test_an_answer_that_was_late_is_noticed() -> None:
    question, answer = arp(True, PARENT, "10.0.1.11", "10.0.1.3"), arp(False, EXT, "10.0.1.3", "10.0.1.11", to=PARENT)
    asked = [frame("net1", "ipv1", "out", question, at) for at in (1, 2)]
    told = frame("net1", "ipv1", "own", answer, 3)
    assert late(tell(LAN, [*asked, told]))
    assert not late(tell(LAN, asked)), "nobody answered: that is the kernel's word"
    assert not late(tell(LAN, [asked[0], told]))


def test_the_map_knows_what_sits_on_what() -> None:
    topology = Topology((Host("host", (Interface("eth0"),), vlans=(Vlan("eth0.30", "eth0", 30),)),))
    assert Map(topology).depth(("host", "eth0.30")) == 1
    far = Map(Topology.of(macvlan("bridge"), net1="10.0.1.11/24")).distances(("net1", "macv1"))
    assert far["router", "eth0"] == 4
    assert ("far", "eth0") not in far, "it is behind a router: no frame gets there"


def test_pcapng_is_what_its_specification_says(tmp_path: Path) -> None:
    data = arp(True, PARENT, "10.0.1.11", "10.0.1.12")
    content = pcapng("host.eth0", [frame("host", "eth0", "out", data, (5 << 32) + 9, tag=30)])
    blocks = []
    while content:
        kind, length = struct.unpack_from("=II", content)
        assert length % 4 == 0
        assert struct.unpack_from("=I", content, length - 4)[0] == length
        blocks.append((kind, content[8 : length - 4]))
        content = content[length:]
    assert [kind for kind, _ in blocks] == [0x0A0D0D0A, 1, 6]
    assert b"host.eth0" in blocks[1][1]
    interface, high, low, kept, length = struct.unpack_from("=IIIII", blocks[2][1])
    assert (interface, high, low, kept, length) == (0, 5, 9, len(data) + 4, len(data) + 4)
    assert blocks[2][1][20 + 12 : 20 + 16] == bytes.fromhex("8100001e")
