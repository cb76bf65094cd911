"""The other ways to build N endpoints, each run in a fresh private namespace: ``python -m bench.builders WAY N``.

Prints the seconds of building and of taking down again. Everything is on a veth pair made here; nothing of the
computer's own network is seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from bench import handpacked

PRIVATE = ("unshare", "-Urnmpf", "--kill-child", "--mount-proc")


def address_of(number: int) -> str:
    """Give the address of endpoint ``number``."""
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}/8"


def hand_packed(count: int) -> Callable[[], None]:
    """Build with messages packed by hand."""
    descriptors = handpacked.build(count)
    return lambda: [os.close(descriptor) for descriptor in descriptors] and None


def shell_ip(count: int) -> Callable[[], None]:
    """Build with one ``ip`` process for each step, as a script does."""
    lines = []
    for number in range(1, count + 1):
        lines += [f"ip netns add n{number}", f"ip link add macv link eth0 netns n{number} type macvlan mode bridge",
                  f"ip -n n{number} link set lo up", f"ip -n n{number} addr add {address_of(number)} dev macv",
                  f"ip -n n{number} link set macv up", f"ip -n n{number} route add default dev macv"]
    subprocess.run(["sh", "-ec", "\n".join(lines)], check=True)
    down = "\n".join(f"ip netns del n{number}" for number in range(1, count + 1))
    return lambda: subprocess.run(["sh", "-ec", down], check=True) and None


def ip_batch(count: int) -> Callable[[], None]:
    """Build with ``ip -batch``: one process for the host, one for each namespace."""
    numbers = range(1, count + 1)
    outside = [f"netns add n{n}\nlink add macv link eth0 netns n{n} type macvlan mode bridge" for n in numbers]
    batch(["ip", "-batch", "-"], "\n".join(outside))
    for number in numbers:
        inside = (f"link set lo up\naddr add {address_of(number)} dev macv\nlink set macv up\n"
                  "route add default dev macv")
        batch(["ip", "-n", f"n{number}", "-batch", "-"], inside)
    return lambda: batch(["ip", "-batch", "-"], "\n".join(f"netns del n{n}" for n in numbers))


def batch(command: list[str], lines: str) -> None:
    """Run one batch."""
    subprocess.run(command, input=lines, text=True, check=True)


def naive_pyroute2(count: int) -> Callable[[], None]:
    """Build with pyroute2 as its examples do."""
    from pyroute2 import IPRoute, NetNS, netns

    with IPRoute() as host:
        parent = host.link_lookup(ifname="eth0")[0]
        for number in range(1, count + 1):
            name = f"n{number}"
            netns.create(name)
            host.link("add", ifname="macv", kind="macvlan", link=parent, macvlan_mode="bridge", net_ns_fd=name)
            with NetNS(name) as inside:
                inside.link("set", index=1, state="up")
                index = inside.link_lookup(ifname="macv")[0]
                address, _, length = address_of(number).partition("/")
                inside.addr("add", index=index, address=address, prefixlen=int(length))
                inside.link("set", index=index, state="up")
                inside.route("add", dst="0.0.0.0/0", oif=index, scope="link")
    return lambda: [netns.remove(f"n{number}") for number in range(1, count + 1)] and None


WAYS = {"hand-packed netlink": hand_packed, "ip -batch": ip_batch, "shell ip": shell_ip,
        "naive pyroute2": naive_pyroute2}


def main() -> None:
    """Build and take down in the private namespace this process is in."""
    way, count = sys.argv[1], int(sys.argv[2])
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    # the peer is made first, so eth0 is device 2
    batch(["ip", "-batch", "-"], "link add far type veth peer name eth0\nlink set far up\nlink set eth0 up")
    started = time.perf_counter()
    take_down = WAYS[way](count)
    built = time.perf_counter()
    take_down()
    print(built - started, time.perf_counter() - built)


if __name__ == "__main__":
    main()
