"""In what order broadcasts come out of the parents' work queues.

A parent puts a broadcast for its children into its work queue, and so does an ipvlan l2 child that sends one; the
queues stand in one line (ipvlan_multicast_enqueue, ipvlan_process_multicast; macvlan_broadcast_enqueue,
macvlan_process_broadcast). A queue that an earlier question of the same exchange filled may still stand in line, in
front of all that a later one fills; and who of two owners of an address answers first depends on that. Queues that
stand behind one another are emptied together: an answer with fewer wires to cross overtakes one (`neighbours`).
"""

from __future__ import annotations

from typing import NamedTuple

from ipvkit.theory.frames import Delivery
from ipvkit.theory.state import Device

#: Parents whose queues wait for their turn, in this order.
Line = tuple[Device, ...]


class Queues(NamedTuple):
    """The parents whose work queues a frame goes through on its way ``out``, and those it has ``filled`` then."""

    out: tuple[Device, ...]
    filled: tuple[Device, ...]

    def joined(self, line: Line) -> Line:
        """Return the line when the frame is out and in the queues it fills."""
        for queue in self.out:
            line = _in_turn_of(queue, line)
        return (*line, *(queue for queue in self.filled if queue not in line))


def turn(line: Line, delivery: Delivery) -> tuple[int, int]:
    """Return what to sort deliveries by: those behind no queue, by place in line, those behind a queue in a queue."""
    return len(delivery.behind), line.index(delivery.behind[0]) if delivery.behind else 0


def left(line: Line, delivery: Delivery | None) -> Line:
    """Return what stands in line in the turn ``delivery`` is made in; without one all turns are over."""
    if delivery is None:
        return ()
    return _in_turn_of(delivery.behind[-1], line) if delivery.behind else line


def _in_turn_of(queue: Device, line: Line) -> Line:
    return line[line.index(queue) + 1:] if queue in line else ()  # one not in line joins at its end
