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


def every(array: np.ndarray, rows: int, axis: int = 0) -> np.ndarray:
    """Keep elements 0, s, 2s, ... along an axis, with the stride s that leaves `rows` of them.

    Cases say the stride in many ways (in the name, in case.json, in a note); the number of rows
    says it for all of them. Raises ValueError where it leaves a choice.
    """
    count = array.shape[axis]
    strides = [s for s in range(1, count + 1) if -(-count // s) == rows]
    if len(strides) != 1:
        raise ValueError(f"{rows} of {count} elements: the stride may be any of {strides}")
    return array[(slice(None),) * axis + (slice(None, None, strides[0]),)]


def every_cell(grid: np.ndarray, side: int) -> np.ndarray:
    """Keep every s-th cell along the last three axes, so that `side` are left."""
    for axis in range(grid.ndim - 3, grid.ndim):
        grid = every(grid, side, axis)
    return grid
