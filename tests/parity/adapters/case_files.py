"""What adapters read of a case, and the selection of the elements that a case kept."""

import json
import re
from pathlib import Path

import numpy as np


def read_case(case_dir: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Return case.json and inputs.npz."""
    case = json.loads((case_dir / "case.json").read_text())
    with np.load(case_dir / "inputs.npz") as inputs:
        return case, dict(inputs)


def shape(case: dict, name: str) -> list[int]:
    """Return the shape of an expected array."""
    return case["expected"][name][1]


def numbered(inputs: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    """Return the arrays prefix0, prefix1, ... in the order of their numbers."""
    names = [name for name in inputs if re.fullmatch(prefix + r"\d+", name)]
    return [inputs[name] for name in sorted(names, key=lambda name: int(name[len(prefix) :]))]


def only_number(names, pattern: str) -> int:
    """Return the one number that a pattern with one group finds in names."""
    found = {int(m.group(1)) for name in names if (m := re.fullmatch(pattern, name))}
    (number,) = found
    return number


def every(array: np.ndarray, case: dict, name: str, axis: int = 0) -> np.ndarray:
    """Keep elements 0, s, 2s, ... along an axis of `array`, as the expected array `name` does.

    The stride s is in the name (`_stridedN`), in case.json, or only in a note; whatever says it, it
    leaves as many elements as are expected. That decides where the first two do not fit, the
    smallest such stride where several do.
    """
    count, rows = array.shape[axis], shape(case, name)[axis]
    fitting = [s for s in range(1, count + 1) if -(-count // s) == rows]
    said = [int(n) for n in re.findall(r"_strided(\d+)$", name)] + [case.get("stride")]
    chosen = [s for s in said if s in fitting] + fitting
    if not chosen:
        raise ValueError(f"{name}: no stride leaves {rows} of {count} elements")
    return array[(slice(None),) * axis + (slice(None, None, chosen[0]),)]


def every_cell(grid: np.ndarray, case: dict, name: str) -> np.ndarray:
    """Do the same along the last three axes."""
    for axis in range(grid.ndim - 3, grid.ndim):
        grid = every(grid, case, name, axis)
    return grid
