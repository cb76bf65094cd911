"""The checks every part of a topology shares: each returns the cleaned value or says field, problem and fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from ipvkit.errors import TopologyError

INTERFACE_NAME_LENGTH = 15  # IFNAMSIZ is 16 with the closing zero: include/uapi/linux/if.h
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SHOWN_LENGTH = 60
_IN_WORDS = {int: "a whole number", str: "a text"}
_EVERYBODY = IPv4Address("255.255.255.255")
_COMPATIBLE = IPv6Network("::/96")


def clean(part: Any, field: str, check: Callable[..., Any], *rest: Any) -> None:
    """Check one field of a part and store its cleaned value (the parts are frozen)."""
    object.__setattr__(part, field, check(path(part, field), getattr(part, field), *rest))


def path(part: Any, field: str) -> str:
    """Return how a part's field is named in a refusal: ``endpoint.net1.mac``, ``driver.mode``."""
    kind, name = type(part).__name__.lower(), getattr(part, "name", None)
    return f"{kind}.{field}" if field == "name" or not isinstance(name, str) else f"{kind}.{name}.{field}"


def shown(value: Any) -> str:
    """Return a value as a refusal shows it: on one line, cut when long."""
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits (sys.set_int_max_str_digits)
        return "a far too large number"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"


def device_name(field: str, value: Any) -> str:
    """Return a name the kernel takes for an interface: 1 to 15 characters, no slash, no white space."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise TopologyError(field, f"{shown(value)} is not an interface name",
                            "Use letters, digits, '.', '_' and '-', beginning with a letter or digit.")
    if len(value) > INTERFACE_NAME_LENGTH:
        raise TopologyError(field, f"{shown(value)} has {len(value)} characters",
                            f"Linux allows {INTERFACE_NAME_LENGTH} for an interface: shorten it.")
    return value


def place_name(field: str, value: Any) -> str:
    """Return the name of a host, switch or endpoint: it also names a network namespace."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or "." in value or len(value) > 60:
        raise TopologyError(field, f"{shown(value)} is not a name",
                            "Use up to 60 letters, digits, '_' and '-', beginning with a letter or digit.")
    return value


def mac_address(field: str, value: Any) -> str:
    """Return a unicast MAC in lower case."""
    text = value.lower() if isinstance(value, str) else value
    if not isinstance(text, str) or not _MAC.fullmatch(text):
        raise TopologyError(field, f"{shown(value)} is not a MAC address", "Write six bytes: 02:00:00:00:00:01.")
    if int(text[:2], 16) & 1 or text == "00:00:00:00:00:00":
        raise TopologyError(field, f"{shown(value)} is not the address of one station", "The first byte must be even.")
    return text


def interface_address(field: str, value: Any) -> str:
    """Return an address with its prefix length, in the standard short form."""
    problem = "is not an address with a prefix length"
    if isinstance(value, str) and "/" in value and "%" not in value:
        try:
            address = IPv6Interface(value) if ":" in value else IPv4Interface(value)
        except ValueError as error:  # its words end with the whole address again
            problem += f": {str(error).partition(' in ')[0][:_SHOWN_LENGTH]}"
        else:
            _refuse_special(field, address.ip)
            return str(address)
    raise TopologyError(field, f"{shown(value)} {problem}", "Write 10.0.1.11/24 or fd00:1::11/64.")


def _refuse_special(field: str, address: IPv4Address | IPv6Address) -> None:
    """Refuse what the kernel refuses, or keeps to itself, or what no device has in addition to its own."""
    if address.is_multicast or address.is_loopback or address.is_unspecified or address == _EVERYBODY:
        raise TopologyError(field, f"{address} is not the address of one station on a network",
                            "Write 10.0.1.11/24 or fd00:1::11/64.")
    if address.version == 6 and address.is_link_local:
        raise TopologyError(field, f"{address} is link-local, and each device gives itself such an address",
                            "Ask for that one with link_local=True; declare one like fd00:1::11/64.")
    if address in _COMPATIBLE:
        raise TopologyError(field, f"{address} is an IPv4 address in IPv6's clothes, which nobody uses any more "
                            "(RFC 4291, 2.5.5.1)", "Write 10.0.1.11/24 or fd00:1::11/64.")


def interface_addresses(field: str, value: Any) -> tuple[str, ...]:
    """Return addresses with their prefix lengths; one may stand alone."""
    given = as_tuple(field, value, str)
    return tuple(interface_address(f"{field}[{index}]", address) for index, address in enumerate(given))


def plain_address(field: str, value: Any) -> str:
    """Return an address without prefix length, in the standard short form."""
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return str(ip_address(value))
    except ValueError:
        raise TopologyError(field, f"{shown(value)} is not an address", "Write 10.0.1.1 or fd00:1::1.") from None


def destination(field: str, value: Any) -> str:
    """Return a route's destination: ``default``, ``default6`` or a network prefix; 0.0.0.0/0 is ``default``."""
    if value in ("default", "default6"):
        return str(value)
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        network = str(ip_network(value))
    except ValueError:
        raise TopologyError(field, f"{shown(value)} is not a destination",
                            "Write default, default6 (IPv6), or a network: 10.0.9.0/24.") from None
    return {"0.0.0.0/0": "default", "::/0": "default6"}.get(network, network)


def network(field: str, value: Any) -> str:
    """Return an IPv4 network with its prefix length; an address alone is a network of one."""
    try:
        if not isinstance(value, str):
            raise ValueError
        return str(IPv4Network(value))
    except ValueError:
        raise TopologyError(field, f"{shown(value)} is not an IPv4 network", "Write 10.0.1.0/24.") from None


def one_of(field: str, value: Any, allowed: Collection[str]) -> str:
    """Return ``value`` if it is one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        choice = ", ".join(word or "none at all" for word in allowed)
        raise TopologyError(field, f"{shown(value)} is not known", f"Choose one of: {choice}.")
    return value


def whole_number(field: str, value: Any, low: int, high: int) -> int:
    """Return ``value`` if it is a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise TopologyError(field, f"{shown(value)} is out of range", f"Write a whole number from {low} to {high}.")
    return value


def truth(field: str, value: Any) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, bool):
        raise TopologyError(field, f"{shown(value)} is neither true nor false", "Write true or false.")
    return value


def instance(field: str, value: Any, kind: type, example: str) -> Any:
    """Return ``value`` if it is a ``kind``; ``example`` says how to make one."""
    if not isinstance(value, kind):
        raise TopologyError(field, f"{shown(value)} is not a {kind.__name__}", f"Write {example}.")
    return value


def as_tuple(field: str, value: Any, kind: type) -> tuple[Any, ...]:
    """Return ``value`` as a tuple whose members all are of ``kind``; one member may stand alone."""
    members = (value,) if isinstance(value, kind) else value
    if isinstance(members, str) or not hasattr(members, "__iter__"):
        raise TopologyError(field, f"{shown(value)} is not a list", f"Give a list of {kind.__name__}.")
    found = tuple(members)
    for index, member in enumerate(found):
        if not isinstance(member, kind):
            wanted = _IN_WORDS.get(kind, f"a {kind.__name__}")
            raise TopologyError(f"{field}[{index}]", f"{shown(member)} is not {wanted}", f"Give {wanted}.")
    return found
