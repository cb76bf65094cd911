"""From what the kernel said to the identifier of a reason in :mod:`ipvkit.refusals`: by step, errno and extack.

Law: theory reaches identifiers by its rules, the lab by these tables, and neither looks at the other. A refusal that no
row explains keeps errno and extack and says that it is not explained; a row is never a guess.
"""

from __future__ import annotations

from errno import (
    EACCES,
    EADDRINUSE,
    EADDRNOTAVAIL,
    EBUSY,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENODEV,
    ENOENT,
    ENOPROTOOPT,
    ENOSPC,
    ENXIO,
    EOPNOTSUPP,
    ESRCH,
)
from typing import Any

from ipvkit.errors import Refused
from ipvkit.refusals import REFUSALS
from ipvkit.steps import (
    AddChild,
    AddDrop,
    AddMasquerade,
    AddNetns,
    AddPortVlan,
    AddVlan,
    SetAddress,
    SetLink,
    SetRoute,
    Step,
)

#: Step and errno to identifier, where these two decide.
_BY_ERRNO: dict[tuple[type[Step], int], str] = {
    (AddNetns, EEXIST): "netns-taken",
    (AddNetns, ENOSPC): "namespaces-used-up",
    (AddChild, EBUSY): "parent-busy",
    (AddChild, EADDRINUSE): "mac-taken",
    (AddVlan, EOPNOTSUPP): "vlan-on-ipvlan",
    (AddPortVlan, EOPNOTSUPP): "no-vlan-filtering",
    (SetAddress, EADDRINUSE): "address-on-sibling",
    (SetAddress, EEXIST): "address-exists",
    (SetAddress, EADDRNOTAVAIL): "address-missing",
    (SetAddress, ENXIO): "address-without-ipv6",
    (SetRoute, ENETUNREACH): "gateway-unreachable",
    (SetRoute, EHOSTUNREACH): "gateway-unreachable",
    (SetRoute, ENETDOWN): "route-device-down",
    (SetRoute, EEXIST): "route-exists",
    (SetRoute, ESRCH): "route-missing",
}
#: The same for :class:`SetLink`, by what is set.
_SET_LINK: dict[tuple[str, int], str] = {
    ("up", ENETDOWN): "parent-down",
    ("up", EADDRINUSE): "mac-taken",
    ("up", EBUSY): "mac-taken",
    ("mac", EOPNOTSUPP): "mac-of-parent",
    ("mac", EADDRINUSE): "mac-taken",
    ("mac", EBUSY): "mac-taken",
    ("mode", EINVAL): "passthru-fixed",
}
_ANY_STEP = {ENODEV: "device-missing", ENOENT: "device-missing", EACCES: "not-permitted"}


def refusal(step: Step, said: dict[str, Any]) -> Refused:
    """Return the error for a refused ``step``; ``said`` is the agent's record: errno, extack, parent."""
    identifier = identify(step, said["errno"], said["extack"], said.get("parent", ""))
    reason = REFUSALS[identifier]
    return Refused(said["errno"], step.command, identifier, f"{reason.because} {reason.fix}", said["extack"])


def identify(step: Step, errno: int, extack: str, parent: str) -> str:
    """Return a key of ``REFUSALS``; ``parent`` is the kind of the parent device, as netlink shows it."""
    if isinstance(step, AddChild) and errno == EINVAL:
        cannot = parent in ("lo", "ipvlan")
        return "parent-cannot" if cannot else "passthru-alone" if step.kind == "macvlan" else "not-explained"
    if isinstance(step, SetRoute) and errno == EINVAL and ("local address" in extack or "not specified" in extack):
        return "gateway-unreachable"  # IPv6's words for one's own address, and for a link-local one without a device
    if isinstance(step, SetAddress) and errno == EINVAL and ":" in step.address:
        return "mtu-below-ipv6"
    if isinstance(step, AddDrop | AddMasquerade) and errno in (ENOENT, ENOPROTOOPT):
        return "no-iptables"
    if isinstance(step, SetLink):
        if step.what == "mtu" and errno == EINVAL:
            return "mtu-out-of-range" if "minimum" in extack or "maximum" in extack else "mtu-above-parent"
        if (step.what, errno) in _SET_LINK:
            return _SET_LINK[step.what, errno]
    found = _BY_ERRNO.get((type(step), errno), _ANY_STEP.get(errno))
    if found is None and errno == EEXIST:
        return "name-taken"
    return found or "not-explained"
