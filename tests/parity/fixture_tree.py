"""Which cases there are under the root of fixtures: `<root>/<system>/<case>/case.json`."""

import os
from pathlib import Path

from cases import SYSTEMS

COPIES = Path(__file__).parent / "fixtures"


def root() -> Path:
    """Return the root: SEMCORR_FIXTURES, or the copies in the test tree."""
    return Path(os.environ.get("SEMCORR_FIXTURES") or COPIES)


def cases_under(folder: Path) -> dict[str, list[Path]]:
    """Return system -> folders of its cases, sorted."""
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*/*/case.json")):
        found.setdefault(file.parents[1].name, []).append(file.parent)
    return found


def to_compare(folder: Path) -> list[Path]:
    """Return the cases of implemented systems, unknown ones included, without the later ones."""
    return [
        case
        for system, cases in cases_under(folder).items()
        if system in SYSTEMS
        for case in cases
        if case.name not in SYSTEMS[system].later
    ]


def not_compared(folder: Path) -> list[str]:
    """Return a line for every system without adapters and for every case that comes later."""
    lines = []
    for system, cases in cases_under(folder).items():
        if system not in SYSTEMS:
            lines.append(f"{system}: no adapter yet ({len(cases)} cases)")
            continue
        later = SYSTEMS[system].later
        lines += [f"{system}-{c.name}: later ({later[c.name]})" for c in cases if c.name in later]
    return lines
