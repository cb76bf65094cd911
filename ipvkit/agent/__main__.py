"""What the archive of the agent does when Python is started on it: one of its three roles.

- ``agent.zip supervisor {...}``  outside, between the client and the machine
- ``agent.zip native``  process 1 of a native lab, the wire on descriptor 0
- ``agent.zip guest``  process 1 of a User-Mode Linux kernel, the wire on its serial line
"""

from __future__ import annotations

import sys


def main() -> None:
    """Carry out the role named on the command line; returns when the machine or the client is gone."""
    role = sys.argv[1]
    if role == "supervisor":
        import json

        from ipvkit.machine import supervisor

        supervisor.main(json.loads(sys.argv[2]))
    elif role == "native":
        from ipvkit.agent.boot import native

        native()
    else:
        from ipvkit.agent.boot import guest

        guest(sys.argv[0], sys.argv[2])


if __name__ == "__main__":
    main()
