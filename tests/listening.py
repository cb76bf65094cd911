"""Wait for a server on this computer that has already printed its address."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

PATIENCE = 30.0  # s


def wait_until_it_listens(address: str) -> None:
    """Return once the server of this http address takes connections: it prints the address a moment before."""
    host, port, until = urlsplit(address).hostname, urlsplit(address).port, time.monotonic() + PATIENCE
    assert host
    assert port
    while time.monotonic() < until:
        with suppress(ConnectionRefusedError), socket.create_connection((host, port), timeout=5):
            return
        time.sleep(0.05)
    pytest.fail(f"nothing listens on {address}")
