"""How a request is refused.

Imports nothing of ours.
"""

from __future__ import annotations


class No(Exception):
    """The kernel refuses: ``identifier`` names the reason, ``rule`` the rule."""

    def __init__(self, identifier: str, rule: str) -> None:
        super().__init__(identifier)
        self.identifier, self.rule = identifier, rule
