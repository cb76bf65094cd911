"""``python -m bench``: measure side by side, keep the raw data, write table and plot of docs/performance.md.

    apt-get download mininet && dpkg-deb -x mininet_*.deb DIRECTORY
    python -m bench --mininet DIRECTORY
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics

from bench.contest import OURS, ROOT, Contest, Results

BUILD_SIZES, MATRIX_SIZES = (10, 30, 100, 300, 1000), (10, 30, 60, 100)
SLOW_BUILD, SLOW_MATRIX = 100, 60  # endpoints; beyond, only those that end within minutes
RAW, PLOT, TEXT = (ROOT / "docs" / name for name in ("performance.json", "performance.png", "performance.md"))
BEGIN, END = "<!-- measured -->\n", "<!-- end -->"


def main() -> None:
    """Measure as the command line says; with ``--write`` only write table and plot from the raw data."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--mininet", default="", help="directory with Debian's mininet package unpacked")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=1000, help="no more endpoints than this")
    parser.add_argument("--write", action="store_true", help="measure nothing")
    chosen = parser.parse_args()
    if not chosen.write:
        RAW.write_text(json.dumps(measure(chosen.mininet, chosen.rounds, chosen.most), indent=1) + "\n")
    raw = json.loads(RAW.read_text())
    before, _, rest = TEXT.read_text().partition(BEGIN)
    TEXT.write_text(before + BEGIN + table(raw) + END + rest.partition(END)[2])
    plot(raw)


def measure(mininet: str, rounds: int, most: int) -> dict[str, object]:
    """Run every way, interleaved, and give the raw data."""
    contest = Contest(mininet)
    load = os.getloadavg()[0]
    contest.ours(rounds)
    for number in range(rounds):
        for size in (size for size in BUILD_SIZES if size <= most):
            contest.build(size, SLOW_BUILD)
        for size in (size for size in MATRIX_SIZES if size <= most):
            contest.matrix(size, SLOW_MATRIX if number == 0 else SLOW_MATRIX // 2)
    return {"kernel": platform.release(), "processors": os.cpu_count(), "load before": load, "rounds": rounds,
            "seconds": rows(contest.results)}


def rows(results: Results) -> list[dict[str, object]]:
    """Give the results as JSON values."""
    return [{"measurement": measurement, "way": way, "n": count, "seconds": [round(value, 5) for value in values]}
            for (measurement, way, count), values in results.items()]


def table(raw: dict[str, list[dict[str, object]]]) -> str:
    """Give medians, and how many times as long as ours each way takes."""
    medians = {(row["measurement"], row["way"], row["n"]): statistics.median(row["seconds"])  # type: ignore[arg-type]
               for row in raw["seconds"]}
    lines = [f"Linux {raw['kernel']}, {raw['processors']} processors, load {raw['load before']:.1f} before,"
             f" medians of {raw['rounds']} interleaved rounds.", "",
             "| what | N | way | seconds | times ours |", "|---|---:|---|---:|---:|"]
    ordered = sorted(medians.items(), key=lambda item: (item[0][0], item[0][2], item[1]))
    for (measurement, way, count), seconds in ordered:
        own = medians.get((measurement, OURS, count))
        lines.append(f"| {measurement} | {count} | {way} | {seconds:.3f} | {f'{seconds / own:.1f}' if own else ''} |")
    return "\n".join(lines) + "\n"


def plot(raw: dict[str, list[dict[str, object]]]) -> None:
    """Draw seconds over N, both logarithmic, one line a way."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for axes, measurement in zip(figure.subplots(1, 2), ("build", "matrix"), strict=True):
        for way in dict.fromkeys(row["way"] for row in raw["seconds"] if row["measurement"] == measurement):
            found = [row for row in raw["seconds"] if (row["measurement"], row["way"]) == (measurement, way)]
            points = sorted((row["n"], statistics.median(row["seconds"])) for row in found)  # type: ignore[arg-type]
            axes.loglog(*zip(*points, strict=True), marker="o", label=way, linewidth=2.5 if way == OURS else 1.2)
        axes.set(title={"build": "Build N endpoints", "matrix": "Ask all N × (N − 1) pairs, cold"}[measurement],
                 xlabel="N", ylabel="seconds (median)")
        axes.grid(True, which="both", alpha=0.25)
        axes.legend(fontsize=8)
    figure.savefig(PLOT, dpi=130)


if __name__ == "__main__":
    main()
