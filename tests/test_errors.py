"""What a notebook's red box shows of our errors: lines that need not be broken within a word, and nothing else."""

from __future__ import annotations

import errno

from ipvkit.errors import LabError, Refused, TopologyError

COMMAND = ("ip -n host link add macv3 link eth0 address 02:00:00:01:00:03 netns net3 type macvlan mode bridge "
           "bcqueuelen 1000")  # fmt: skip
REASON = ("macvlan passthru gives the whole parent to one child, so there can be no other. Delete the other children "
          "first, or use another mode.")  # fmt: skip


def test_sentences_are_broken_at_blanks_and_commands_are_not() -> None:
    refused = Refused(errno.EINVAL, COMMAND, "passthru-alone", REASON)
    command, said, *reason = refused._render_traceback_()
    assert (command, said) == (f"Refused: {COMMAND}", "the kernel refused (EINVAL)")
    assert len(reason) == 2
    assert max(map(len, reason)) <= 88
    assert " ".join(reason) == REASON
    assert str(refused).splitlines() == [COMMAND, "the kernel refused (EINVAL)", REASON]


def test_a_long_word_and_json_stay_whole() -> None:
    error = TopologyError("endpoints.net1", f"'{'x' * 100}' is not a name", "Use up to 60 letters.")
    assert any("x" * 100 in line for line in error._render_traceback_())
    assert LabError('{"a": "' + "b " * 60 + '"}')._render_traceback_() == ['LabError: {"a": "' + "b " * 60 + '"}']
