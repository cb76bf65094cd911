"""Mininet's own way: N hosts on one Linux bridge, its build, its pingAll, its stop. Run by the system's Python.

    python3 mininet_run.py DIRECTORY N yes|no      DIRECTORY holds Debian's mininet package, unpacked

Runs in a private namespace, for Mininet makes its bridge where it is started.
"""

import os
import sys
import time
from itertools import pairwise


def main() -> None:
    """Print the seconds of build, pingAll (0 with ``no``) and stop."""
    directory, count, ping = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "yes"
    sys.path.insert(0, os.path.join(directory, "usr/lib/python3/dist-packages"))
    os.environ["PATH"] = os.path.join(directory, "usr/bin") + ":" + os.environ["PATH"]
    from mininet.net import Mininet
    from mininet.nodelib import LinuxBridge
    from mininet.topo import SingleSwitchTopo

    times = [time.perf_counter()]
    network = Mininet(topo=SingleSwitchTopo(count), switch=LinuxBridge, controller=None, autoSetMacs=True)
    network.start()
    times.append(time.perf_counter())
    if ping:
        network.pingAll()
    times.append(time.perf_counter())
    network.stop()
    times.append(time.perf_counter())
    print(*(later - earlier for earlier, later in pairwise(times)))


if __name__ == "__main__":
    main()
