"""The table of what an agent can do; every operation takes a Request and returns its answer, or a Job."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from ipvkit.agent import build, capabilities, capture, deliver, hooks, jobs, macs, programs, reach, state, watch
from ipvkit.agent.serve import Operation, Request


def hello(request: Request) -> dict[str, Any]:
    """Say who answers.

    ``kernel`` (``uname -r``), ``python``, ``pid``, ``way`` (how the machine is isolated); ``echo`` comes back as it is.
    """
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "way": sys.argv[2],
        "echo": request.params.get("echo"),
    }


OPERATIONS: dict[str, Operation] = {
    "hello": hello,
    "capabilities": capabilities.examine,
    "run": jobs.run,
    "build": build.build,
    "apply": build.apply,
    "reach": reach.measure,
    "state": state.state,
    "adopt": state.adopt,
    "trace": capture.trace,
    "deliver": deliver.deliver,
    "spread": deliver.spread,
    "hooks": hooks.hooks,
    "macs": macs.macs,
    "start": programs.start,
    "wait": programs.wait,
    "look": programs.look,
    "stop": programs.stop,
    "watch": watch.watch,
}
