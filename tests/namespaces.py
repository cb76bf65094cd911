"""Namespaces of their own for the few tests that change a network or mount something without a lab."""

from __future__ import annotations

import os
import subprocess

import pytest

# In a chroot the kernel refuses user namespaces even to root, so root does without one.
AS_ROOT = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]


def own_network() -> list[str]:
    """The words before a command that give it a network of its own; skips the test where there is none to be had."""
    return _tried("unshare", *AS_ROOT, "--net")


def own_mounts() -> list[str]:
    """The words before a command whose mounts nobody else sees; skips the test where that cannot be had."""
    return _tried("unshare", *AS_ROOT, "--mount", "--propagation", "private")


def _tried(*words: str) -> list[str]:
    answer = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip(f"{' '.join(words)} is refused here: {answer.stderr.strip()}")
    return list(words)
