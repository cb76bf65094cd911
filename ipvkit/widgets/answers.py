"""One question put to theory and to a kernel, and what both said."""

from __future__ import annotations

from dataclasses import dataclass, field

from ipvkit import html
from ipvkit.errors import Refused
from ipvkit.findings import Answer, State
from ipvkit.instruments.trace import Trace
from ipvkit.lab import Lab
from ipvkit.theory import Prediction, Walk, explain, predict
from ipvkit.topology import Topology


@dataclass(frozen=True)
class Measured:
    """What a kernel said: the echo that was traced, whose answer is the answer, and its state before and after.

    ``built`` is the state as the lab was built: each question begins with cold caches, so what is different in
    ``state`` comes from this one.
    """

    trace: Trace
    built: State
    state: State
    refusals: tuple[Refused, ...]
    machine: str

    @property
    def answer(self) -> Answer:
        """What became of the question."""
        return self.trace.answer


@dataclass(frozen=True)
class Said:
    """What theory says, and (once it was asked) the kernel, about one ordered pair of a topology."""

    topology: Topology
    source: str
    destination: str
    family: int
    prediction: Prediction = field(repr=False)
    walk: Walk = field(repr=False)
    measured: Measured | None = field(default=None, repr=False)

    @property
    def predicted(self) -> str:
        """Theory's word."""
        return self.prediction[self.source, self.destination].verdict

    @property
    def seen(self) -> str:
        """The kernel's word; empty while it was not asked."""
        return self.measured.answer.verdict if self.measured else ""

    @property
    def agree(self) -> bool:
        """True if the kernel was asked and said what theory said."""
        return self.seen == self.predicted

    @property
    def refusals(self) -> tuple[Refused, ...]:
        """What the kernel refused to build before it was asked."""
        return self.measured.refusals if self.measured else ()

    def words(self) -> str:
        """Return the fact in one line."""
        pair = f"{self.source} → {self.destination}: predicted {self.predicted}"
        if not self.measured:
            return pair
        return f"{pair}, measured {self.seen}" + ("" if self.agree else ", DISAGREEMENT")

    def as_html(self) -> str:
        """Return prediction beside measurement with the why; a disagreement is loud, a refusal is translated."""
        why = self.prediction[self.source, self.destination].why
        rows = [("theory", f"{html.sign(self.predicted)} {self.predicted}", why)]
        if self.measured:
            answer = self.measured.answer
            why = " · ".join(filter(None, (answer.detail, self.measured.machine)))
            rows.append(("kernel", f"{html.sign(self.seen)} {self.seen}", why))
        told = html.table(f"{self.source} → {self.destination}", ("who", "says", "why"), rows)
        if self.measured and not self.agree:
            told += ("<p style='border:3px solid rgba(215,30,30,.9);padding:6px'><b>≠ Theory and kernel disagree.</b> "
                     "The kernel is right; please report this.</p>")
        return told + "".join(html.text(f"✗ refused: {refused}") for refused in self.refusals)


def ask_theory(topology: Topology, source: str, destination: str, family: int) -> Said:
    """Return what theory says; asks no kernel."""
    prediction = predict(topology, family=family)
    return Said(topology, source, destination, family, prediction, explain(topology, source, destination,
                                                                          family=family))


def ask_kernel(lab: Lab, said: Said, built: State | None = None) -> Measured:
    """Ask the lab about the pair; ``built`` is the state this lab was built with, if it has been asked before."""
    built = built or lab.state()
    trace = lab.trace(said.source, said.destination, family=said.family)
    return Measured(trace, built, lab.state(), tuple(lab.refusals), lab.machine_line())
