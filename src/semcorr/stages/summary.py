"""Stage `summary`: the tables, where the pictures are, what each stage cost - on the terminal."""

import argparse
import json
import sys
from pathlib import Path

from semcorr.evaluation.measures import MEASURES
from semcorr.evaluation.tables import render
from semcorr.stages.running.costs import by_stage, read_costs, write_costs


def lines(results: Path) -> list[str]:
    """Return what the summary prints."""
    found = []
    for task, measure in MEASURES.items():
        for path in sorted((results / task).glob("*.json")):
            found += [f"{path}", render(json.loads(path.read_text()), measure.key), ""]
    pictures = sorted((results / "figures").rglob("*.png"))
    if pictures:
        found += ["pictures:", *(f"  {path}" for path in pictures), ""]
    stages = by_stage(read_costs(results))
    if stages:
        found.append(f"{'stage':<12}{'jobs':>6}{'wall s':>10}{'CPU s':>10}{'peak MB':>10}")
        for stage, cost in sorted(stages.items(), key=lambda item: -item[1]["wall_s"]):
            found.append(
                f"{stage:<12}{cost['jobs']:>6}{cost['wall_s']:>10.1f}{cost['cpu_s']:>10.1f}"
                f"{cost['peak_mb']:>10.0f}"
            )
        write_costs(results)
    return found


def main() -> None:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    sys.stdout.write("\n".join(lines(parser.parse_args().results)) + "\n")


if __name__ == "__main__":
    main()
