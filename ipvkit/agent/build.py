"""Carry out a plan: many requests in one send, each refusal traced back to its step.

Law: up to the first child the plan's order is kept: whether a parent has its carrier decides how a child starts. From
then on it is kept within a namespace, and nothing is asked before what it uses was made elsewhere; beyond that,
requests wait, so that each namespace gets few and large sends. A change of something already there is a barrier: all
before it is done first, and the children made so far are looked at. So is an address that was given to somebody else
before: who comes second is refused. A refusal that only follows from an earlier one (its device or namespace was never
made) is left out.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

from ipvkit.agent import caches, iptables, links, netlink, places, programs, settling
from ipvkit.agent.devices import Devices, NoDevice
from ipvkit.agent.namespaces import DESCRIPTORS
from ipvkit.agent.requests import REQUESTS, Step, look
from ipvkit.agent.serve import Request
from ipvkit.errors import BadQuestion

_NETNSES = ("netns", "peer_netns", "child_netns", "to")  # the fields of a step that name a namespace
_USES = ("device", "parent", "bridge", "dev")  # the fields of a step that name a device of its namespace
_MAKES = {  # step: the fields with the namespace and the name of each device it makes
    "AddBridge": (("netns", "device"),),
    "AddDummy": (("netns", "device"),),
    "AddVlan": (("netns", "device"),),
    "AddWire": (("netns", "device"), ("peer_netns", "peer")),
    "AddChild": (("child_netns", "device"),),
}
_BY_ITSELF: dict[str, Callable[[Step], None]] = {  # steps that are no requests to the namespace's rtnetlink
    "Sysctl": lambda step: places.write_setting(step["key"], step["value"]),
    "AddDrop": lambda step: iptables.drop(step["hook"], step["protocol"], step["source"], step["destination"]),
    "AddMasquerade": lambda step: iptables.masquerade(step["device"]),
}
_RENUMBER = ("MoveLink", "DeleteLink")


class Builder:
    """One plan being carried out; ``refused`` are those steps the kernel said no to, in the plan's order."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        self._devices = Devices()
        self._pending: dict[str, list[tuple[int, bytes]]] = {}
        self._incoming: dict[str, set[str]] = {}  # namespace: those whose pending requests make something in it
        self._absent: set[tuple[str, str]] = set()
        self._missing: set[str] = set()  # namespaces that could not be made
        self._children: list[tuple[int, Step]] = []  # made, and not yet looked at
        self._in_operation: set[tuple[str, str]] = set()  # those that were, when last looked at
        self._children_of = ""  # the namespace of the last child's parent
        self._addresses: set[str] = set()
        self.differences: list[dict[str, Any]] = []
        self._refused: dict[int, tuple[int, str]] = {}
        self._in_order = True
        self._last = ""  # the namespace of the last step, while the order is kept
        self._unlike_new: dict[tuple[str, ...], list[str]] = {}  # settings: those a new namespace does not have

    def carry_out(self) -> None:
        """Do every step; OSError only where a namespace cannot be made or written to."""
        try:
            for number, step in enumerate(self._steps):
                if not self._missing.isdisjoint(step.get(field) for field in _NETNSES):
                    self._absent.update(self._made(step))
                elif step["do"] == "AddNetns":
                    self._make_netns(number, step)
                elif step["do"] in _BY_ITSELF:
                    self._do_inside(number, step)
                else:
                    self._take(number, step)
            self._flush_all()
            self._look_at_children()
        finally:
            places.go_home()

    @property
    def refused(self) -> list[dict[str, Any]]:
        """Each refusal: ``step`` (its number in the plan), ``errno``, ``extack``, of a child its ``parent``'s kind."""
        return [{"step": number, "errno": error, "extack": sentence, "parent": self._parent(self._steps[number])}
                for number, (error, sentence) in sorted(self._refused.items())]

    def _parent(self, step: Step) -> str:
        """Say what the parent is (``lo``, or the kind that netlink shows): some refusals come of that."""
        if step["do"] != "AddChild" or step["parent"] == "lo":
            return str(step.get("parent", ""))
        answer = self._look(step["netns"], step["parent"])
        return links.kind_of(answer) if answer else ""

    def _make_netns(self, number: int, step: Step) -> None:
        settings = tuple(step["settings"])
        try:
            places.make(step["netns"])
            if settings not in self._unlike_new:  # new namespaces are all alike: the first one tells
                self._unlike_new[settings] = [setting for setting in settings if not places.has_setting(setting)]
            for setting in self._unlike_new[settings]:
                places.write_setting(*setting.split("=", 1))
        except OSError as error:
            self._refused[number] = (error.errno or errno.EIO, "")
            if step["netns"] not in DESCRIPTORS:
                self._missing.add(step["netns"])
            return
        self._devices.fresh(step["netns"])
        self._queue(number, step)

    def _do_inside(self, number: int, step: Step) -> None:
        for other in self._incoming.pop(step["netns"], ()):  # a child that waits in its parent's namespace
            self._flush(other)
        self._flush(step["netns"])
        try:
            with places.inside(step["netns"]):
                _BY_ITSELF[step["do"]](step)
        except OSError as error:
            self._refused[number] = (error.errno or errno.EIO, "")

    def _take(self, number: int, step: Step) -> None:
        of_something_there = step["do"] in _RENUMBER or step.get("what") == "mode" or not step.get("add", True)
        barrier = of_something_there or self._twice(step)
        if barrier or (self._in_order and step["netns"] != self._last):
            self._flush(self._last)
        if barrier:
            self._flush_all()
            self._look_at_children()
        if step["do"] == "AddChild":
            if self._children_of not in ("", step["netns"]):
                self._flush_all()  # a child on a child shares its parent's parent, and the last one made sets the mode
            self._children_of = step["netns"]
            self._children.append((number, step))
        self._in_order &= step["do"] != "AddChild"
        self._last = step["netns"]
        for other in self._incoming.pop(step["netns"], ()):
            self._flush(other)
        self._let_earlier_devices_in(step)
        self._queue(number, step)
        if barrier:
            self._flush_all()
        if step["do"] in _RENUMBER:
            self._devices.ask_about(*DESCRIPTORS)

    def _twice(self, step: Step) -> bool:
        """Tell whether an address was given to somebody before."""
        address = step["address"].partition("/")[0] if step["do"] == "SetAddress" else ""
        known = address in self._addresses
        self._addresses.add(address)
        return bool(address) and known

    def _let_earlier_devices_in(self, step: Step) -> None:
        """Before a device is put into another namespace, make what waits to be made there: its numbers come first."""
        for netns, _ in self._made(step):
            if netns != step["netns"]:
                self._flush(netns)
                for other in self._incoming.get(netns, set()) - {step["netns"]}:
                    self._flush(other)

    def _queue(self, number: int, step: Step) -> None:
        try:
            requests = [(number, request) for request in REQUESTS[step["do"]](step, self._devices)]
        except NoDevice:
            self._note(number, errno.ENODEV, "")
            return
        except FileNotFoundError:
            self._note(number, errno.ENOENT, "")
            return
        self._pending.setdefault(step["netns"], []).extend(requests)
        if step["do"] == "AddBridge":
            places.BRIDGES[step["netns"]] = self._devices.index(step["netns"], step["device"])
        for netns, _ in self._made(step):
            if netns != step["netns"]:
                self._incoming.setdefault(netns, set()).add(step["netns"])
            elif not self._devices.foretold(netns):  # its number can only be asked for once it is there
                self._flush(netns)

    def _flush_all(self) -> None:
        for netns in list(self._pending):
            self._flush(netns)

    def _flush(self, netns: str) -> None:
        pending = self._pending.pop(netns, None)
        if pending:
            for refusal in places.netlink(netns).send([request for _, request in pending]):
                self._note(pending[refusal.number][0], refusal.errno, refusal.extack)

    def _note(self, number: int, error: int, sentence: str) -> None:
        step = self._steps[number]
        used = {(step["netns"], step[field]) for field in _USES if step.get(field)}
        made = set(self._made(step))
        if (used - made) & self._absent:
            self._absent |= made
            return
        self._absent |= made
        self._devices.ask_about(*(netns for netns, _ in made))
        self._refused.setdefault(number, (error, sentence))

    @staticmethod
    def _made(step: Step) -> Iterator[tuple[str, str]]:
        for netns, device in _MAKES.get(step["do"], ()):
            yield step[netns], step[device]

    @property
    def made_namespaces(self) -> list[str]:
        """Those this plan made."""
        return [step["netns"] for number, step in enumerate(self._steps)
                if step["do"] == "AddNetns" and number not in self._refused]

    def _look_at_children(self) -> None:
        """Ask the kernel for each new child's mode and flag; note ``step``, ``mode``, ``flag`` where they differ."""
        self._in_operation.clear()
        for number, step in self._children:
            place = step["child_netns"], step["device"]
            if place in self._absent:
                continue
            answer = self._look(*place)
            mode, flag = links.driver_of(answer) if answer else ("gone", "")
            if answer and links.is_in_operation(answer):
                self._in_operation.add(place)
            if (mode, flag) != (step["mode"], step["flag"]):
                self.differences.append({"step": number, "mode": mode, "flag": flag})
        self._children.clear()

    def settle(self) -> None:
        """Wait until what was brought up is in operation, and all know what was lost: :mod:`ipvkit.agent.settling`."""
        raised = {(step["netns"], step["device"]) for number, step in enumerate(self._steps)
                  if step["do"] == "SetLink" and step["value"] == "up" and number not in self._refused
                  and step["netns"] not in self._missing}
        devices = [(netns, index) for netns, device in raised - self._in_operation
                   if (index := self._index(netns, device))]
        addresses = [(step["netns"], step["address"].split("/")[0]) for number, step in enumerate(self._steps)
                     if step["do"] == "SetAddress" and ":" in step["address"] and step["add"]
                     and (step["netns"], step["device"]) in raised and number not in self._refused]
        if any(step["do"] in _RENUMBER or step.get("value") == "down" for step in self._steps):
            devices = settling.all_devices()
        settling.wait(devices, addresses, list(DESCRIPTORS) if self._changed_a_mode() else [])

    def _changed_a_mode(self) -> bool:
        """Tell whether children that were there before may have another mode now: a new sibling sets it for all."""
        if len(self.made_namespaces) == len(DESCRIPTORS):
            return False
        return any(step["do"] == "AddChild" or step.get("what") == "mode" for step in self._steps)

    def _index(self, netns: str, device: str) -> int:
        """Give a device's number, 0 if it is not there (any more)."""
        try:
            return self._devices.index(netns, device)
        except NoDevice:
            return 0

    def _look(self, netns: str, device: str) -> bytes | None:
        """Give the kernel's description of a device, None if it is not there."""
        index = self._index(netns, device)
        if not index:
            return None
        (answer,) = places.netlink(netns).ask([look(index)])
        return answer if isinstance(answer, bytes) else None


def build(request: Request) -> dict[str, Any]:
    """Operation ``build``: take down what is there, then carry out ``steps``.

    Answers ``refused`` and ``differences``, both by step number: see :class:`Builder`. Raises ``BadQuestion`` beyond
    the machine's limit; then nothing has been taken down.
    """
    children = sum(step["do"] == "AddChild" for step in request.params["steps"])
    most = places.most_endpoints()
    if children > most:
        raise BadQuestion("endpoints", f"{children} are more than the {most} this machine takes", "Use fewer.")
    places.forget_all()
    programs.forget_all()
    return apply(request)


def apply(request: Request) -> dict[str, Any]:
    """Operation ``apply``: carry out ``steps`` on what is there; the answer is that of ``build``.

    With ``undo``, namespaces that the steps made are taken down again if a step was refused.
    """
    netlink.load_messages()
    caches.outdate()
    builder = Builder(request.params["steps"])
    builder.carry_out()
    answer = {"refused": builder.refused, "differences": builder.differences}
    if answer["refused"] and request.params["undo"]:
        places.forget(*builder.made_namespaces)
    else:
        builder.settle()
    return answer
