"""``choose``: which driver and mode for my case, with the reasons."""

from __future__ import annotations

from argparse import Namespace

from ipvkit import choice
from ipvkit.cli.main import FAILED, GOOD
from ipvkit.cli.report import print_json
from ipvkit.cli.terminal import TYPED, Terminal
from ipvkit.errors import BadQuestion


def choose(options: Namespace, terminal: Terminal) -> int:
    """Print the recommendation and its reasons; FAILED where everything is ruled out.

    Raises ``BadQuestion`` without a case: then there is nothing to choose by.
    """
    cases = {case: getattr(options, case) for case in choice.CASES}
    if not any(cases.values()):
        raise BadQuestion("case", "none is named", f"Name one at least, for example --dhcp. See: {TYPED} choose --help")
    advice = choice.choose(**cases)
    if options.json:
        print_json(terminal, advice.as_json())
    else:
        title, *reasons = repr(advice).splitlines()
        terminal.say(title, "good" if advice.driver else "bad")
        for reason in reasons:
            terminal.paragraph(reason)
    return GOOD if advice.driver else FAILED
