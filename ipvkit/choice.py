"""Which driver and mode for my case?

    choose(mac_limit=True, dhcp=True)        ipvlan l2, and what to look out for

The law: the rules are data. Each names the case it speaks of, what it rules out or favours, why, and the step of a
lesson (or, where there is no lesson yet, the document or file of the kernel) that shows it. What nothing rules out and
most favours is recommended; where everything is ruled out, that is the answer. A pure function: asks no kernel.
Imports nothing of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

#: The cases one can name, and what each asks.
CASES: Mapping[str, str] = {
    "mac_limit": "the switch port allows few MACs",
    "in_vm": "the host is itself a VM or a cloud instance",
    "wifi": "the parent is a Wi-Fi card",
    "dhcp": "children get their addresses by DHCP",
    "multicast": "children need multicast or broadcast (discovery, mDNS, VRRP)",
    "reach_host": "host and children must reach each other",
    "host_firewall": "the host's firewall or NAT must see the traffic",
    "many_subnets": "many subnets, or addresses announced by BGP",
    "hostile": "children do not trust each other",
}
#: What can be recommended; of two that are equally favoured, the first.
CHOICES = ("macvlan bridge", "ipvlan l2", "ipvlan l3", "ipvlan l3s")
ELSE = "neither: a veth pair for each namespace, behind a bridge or a route of the host's"

_MACVLAN, _L3 = CHOICES[:1], CHOICES[2:]
_GUIDE = "Documentation/networking/ipvlan.rst, “What to choose (macvlan vs. ipvlan)?”"
_LESSONS = {
    "02": "02-ipvlan-or-macvlan-what-is-different.ipynb",
    "03": "03-what-is-on-the-wire.ipynb",
    "04": "04-who-decides-the-route.ipynb",
    "05": "05-why-can-i-not-reach-my-own-host.ipynb",
    "06": "06-who-owns-the-mode.ipynb",
    "07": "07-one-mac-or-many.ipynb",
    "08": "08-why-do-two-clients-get-one-address.ipynb",
    "09": "09-how-does-the-world-find-me.ipynb",
    "10": "10-which-firewall-sees-my-packet.ipynb",
}


@dataclass(frozen=True)
class Shown:
    """What shows a reason: a step of a lesson (``lesson`` is the notebook's file), else a ``source`` to be read."""

    lesson: str = ""
    step: int = 0
    source: str = ""

    def __str__(self) -> str:
        """Return ``notebook 03, step 5``, or the source."""
        return f"notebook {self.lesson[:2]}, step {self.step}" if self.lesson else self.source

    def as_html(self) -> str:
        """Return a link to the lesson, relative to the notebooks, or the source."""
        return f"<a href='{self.lesson}'>{self}</a>" if self.lesson else f"<code>{escape(self.source)}</code>"


@dataclass(frozen=True)
class Rule:
    """In ``case``: what it ``rules_out``, or ``favours``, or (neither) what to look out for with those it is ``of``."""

    case: str
    why: str
    shown: Shown
    rules_out: tuple[str, ...] = ()
    favours: tuple[str, ...] = ()
    of: tuple[str, ...] = CHOICES


def _step(lesson: str, step: int) -> Shown:
    return Shown(_LESSONS[lesson], step)


RULES = (
    Rule("mac_limit", "Each macvlan child is one more MAC at the switch port; ipvlan children have the parent's.",
         _step("07", 2), rules_out=_MACVLAN),
    Rule("in_vm", "A virtual switch delivers to the MACs it gave out, and often drops frames from others; "
                  "macvlan children have others.", _step("07", 4), rules_out=_MACVLAN),
    Rule("in_vm", "A cloud routes only addresses it knows: register the children's addresses with it.",
         _step("07", 4)),
    Rule("wifi", "An access point takes frames only from the MAC that joined it; a station cannot speak for others.",
         Shown(source="net/wireless/core.c, IFF_DONT_BRIDGE; IEEE 802.11, “Address fields”"), rules_out=_MACVLAN),
    Rule("dhcp", "In l3 and l3s no broadcast leaves a child and none comes in, so no DHCP server is ever asked.",
         _step("08", 4), rules_out=_L3),
    Rule("dhcp", "A server knows clients by their MAC, and ipvlan children have one between them.",
         _step("08", 4), favours=_MACVLAN),
    Rule("dhcp", "Each child must send a client identifier of its own and ask for broadcast answers.",
         _step("08", 3), of=("ipvlan l2",)),
    Rule("multicast", "In l3 and l3s neither multicast nor broadcast leaves a child.", _step("03", 3), rules_out=_L3),
    Rule("reach_host", "Host and child do not reach each other through the parent, in any mode. Give the host a child "
                       "of its own.", _step("05", 3)),
    Rule("host_firewall", "Children's traffic goes past the host's hooks.", _step("10", 1),
         rules_out=("macvlan bridge", "ipvlan l2")),
    Rule("host_firewall", "In l3 what comes in goes past the host's hooks: connection tracking and NAT see one way.",
         _step("10", 5), rules_out=("ipvlan l3",)),
    Rule("host_firewall", "In l3s what goes out and what comes in pass hooks of the host.", _step("10", 2),
         favours=("ipvlan l3s",)),
    Rule("host_firewall", "A child's own firewall is not asked about what comes from outside: its rules belong into "
                          "the host.", _step("10", 4), of=("ipvlan l3s",)),
    Rule("host_firewall", "What siblings send each other passes no hook of the host, in any mode.", _step("10", 2)),
    Rule("many_subnets", "The host's routing table decides for the children, whatever their subnets; no ARP, no subnet "
                         "on the wire for each.", _step("04", 3), favours=_L3),
    Rule("many_subnets", "The others must be told a route to the children, by hand or by BGP: nobody answers ARP for "
                         "them.", _step("09", 1), of=_L3),
    Rule("hostile", "Who owns a macvlan child can give it another MAC and receive what is another's.",
         Shown(source=_GUIDE), rules_out=_MACVLAN),
    Rule("hostile", "In l3 and l3s a child can neither broadcast nor lie by ARP.", _step("03", 3), favours=_L3),
    Rule("hostile", "Siblings reach each other, whatever their subnets: add the flag private, which holds for all of "
                    "the parent's children.", _step("06", 2)),
)


@dataclass(frozen=True)
class Advice:
    """What to take: ``driver`` (one of :data:`CHOICES`; empty where all are ruled out) and the rules that spoke."""

    cases: tuple[str, ...]
    driver: str
    rules: tuple[Rule, ...]

    @property
    def ruled_out(self) -> dict[str, tuple[Rule, ...]]:
        """By choice, the rules against it."""
        found = {choice: tuple(rule for rule in self.rules if choice in rule.rules_out) for choice in CHOICES}
        return {choice: rules for choice, rules in found.items() if rules}

    @property
    def look_out(self) -> tuple[Rule, ...]:
        """What to look out for with what is recommended."""
        return tuple(rule for rule in self.rules if not rule.rules_out and not rule.favours and self.driver in rule.of)

    @property
    def title(self) -> str:
        """The recommendation."""
        return self.driver or ELSE

    def __repr__(self) -> str:
        """Return the recommendation and every reason with what shows it, as text."""
        lines = [f"{head}: {rule.why} ({rule.shown})" for head, rule in self._reasons()]
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        """Return the same as a table, lessons linked."""
        rows = "".join(f"<tr><td style='text-align:left'>{escape(head)}</td>"
                       f"<td style='text-align:left'>{escape(rule.why)}</td>"
                       f"<td style='text-align:left'>{rule.shown.as_html()}</td></tr>"
                       for head, rule in self._reasons())
        head = "<tr><th></th><th>why</th><th>see it</th></tr>" if rows else ""
        return f"<table><caption><b>{escape(self.title)}</b></caption>{head}{rows}</table>"

    def as_json(self) -> dict[str, object]:
        """Return the same as plain data."""
        return {"cases": list(self.cases), "recommended": self.driver or None, "reasons": [
            {"what": head, "why": rule.why, "shown": str(rule.shown)} for head, rule in self._reasons()]}

    def _reasons(self) -> list[tuple[str, Rule]]:
        """Give what speaks for it, what to look out for, and what speaks against the others."""
        found = [("+ for it", rule) for rule in self.rules if self.driver in rule.favours]
        found += [("! look out", rule) for rule in self.look_out]
        against = dict.fromkeys(rule for rules in self.ruled_out.values() for rule in rules)
        return found + [(f"✗ not {', '.join(rule.rules_out)}", rule) for rule in against]


def choose(
    *, mac_limit: bool = False, in_vm: bool = False, wifi: bool = False, dhcp: bool = False, multicast: bool = False,
    reach_host: bool = False, host_firewall: bool = False, many_subnets: bool = False, hostile: bool = False,
) -> Advice:
    """Return which driver and mode to take, with the reasons; what each word asks is in :data:`CASES`."""
    named = {"mac_limit": mac_limit, "in_vm": in_vm, "wifi": wifi, "dhcp": dhcp, "multicast": multicast,
             "reach_host": reach_host, "host_firewall": host_firewall, "many_subnets": many_subnets,
             "hostile": hostile}
    cases = tuple(case for case in CASES if named[case])
    rules = tuple(rule for rule in RULES if rule.case in cases)
    favoured = Counter(choice for rule in rules for choice in rule.favours)
    left = [choice for choice in CHOICES if not any(choice in rule.rules_out for rule in rules)]
    return Advice(cases, max(left, key=lambda choice: favoured[choice], default=""), rules)
