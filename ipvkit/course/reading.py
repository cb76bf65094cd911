"""What a student typed, read generously: None where it has not the form that was asked for."""

from __future__ import annotations

import re
from ipaddress import IPv4Interface
from typing import Any

from ipvkit.topology import Topology


def word(answer: Any) -> str:
    """Return what counts of a word or verdict: no case, blanks, hyphens or quotes, nor who said it or with which TTL.

    A measured answer is its verdict.
    """
    said = str(getattr(answer, "verdict", answer)).lower().replace("->", "→")
    said = re.sub(r", (ttl|says) .*", "", said, flags=re.DOTALL)
    return re.sub(r"[\s_\"'-]", "", said).replace("networkisunreachable", "networkunreachable")


def number(answer: Any) -> int | None:
    """Return a whole number, written or counted."""
    try:
        read = float(str(answer))
    except ValueError:
        return None
    return int(read) if read.is_integer() else None


def two_numbers(answer: Any) -> tuple[int, int] | None:
    """Return the two numbers of ``1 and 4``, in this order."""
    numbers = [int(digits) for digits in re.findall(r"\d+", str(answer))]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def pair(answer: Any) -> tuple[str, str] | None:
    """Return the two different names of ``net1→net2`` or ``net1->net2``."""
    names = [name.strip() for name in str(answer).lower().replace("->", "→").split("→")]
    return (names[0], names[1]) if len(names) == len(set(names)) == 2 else None


def address(answer: Any) -> str | None:
    """Return an IPv4 address without its prefix length."""
    read = _interface(answer)
    return str(read.ip) if read else None


def network(answer: Any) -> IPv4Interface | None:
    """Return an address with a prefix length; whether it is a network's own is not asked."""
    return _interface(answer) if "/" in str(answer) else None


def topology(answer: Any) -> Topology | None:
    """Return a topology, of Python only."""
    return answer if isinstance(answer, Topology) else None


def _interface(answer: Any) -> IPv4Interface | None:
    try:
        return IPv4Interface(str(answer).strip())
    except ValueError:
        return None
