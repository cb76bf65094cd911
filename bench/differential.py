"""Compare theory and kernel on as many random topologies as wished.

    python bench/differential.py --count 5000 --seed 1

Prints how often each value of each dimension was drawn, every disagreement with its smallest topology, and the counts;
the exit status is 1 if anything disagreed twice, or if a value was drawn in less than 1 % of the cases.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.theory.differential import Differential, say
from tests.theory.random_topologies import Draw, topologies

LEAST_DRAWS = 500  # of a dimension, before 1 % of it means anything


def main() -> int:
    """Run as the command line says, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time, whatever the count")
    parser.add_argument("--machine", default="uml", choices=("uml", "native"))
    parser.add_argument("--most", type=int, default=20, help="stop after so many disagreements")
    chosen = parser.parse_args()
    pick, differential = Draw(chosen.seed), Differential(chosen.machine)
    try:
        differential.run(topologies(pick, chosen.count), chosen.seconds, chosen.most, show=say)
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        differential.close()
    rare = pick.too_rare(LEAST_DRAWS)
    say("\n".join([pick.table(), *(f"drawn too rarely: {value}" for value in rare),
                   f"seed {chosen.seed}, {datetime.now(UTC):%Y-%m-%d}: {differential}"]))
    return 1 if rare or differential.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
