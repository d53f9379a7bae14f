"""Files of labelled points: those of ShapeNet-Part, and annotations of single shapes.

Nothing but numbers is read, and no more than `MAX_BYTES` of a file.
"""

import io
import json
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from semcorr.errors import ItemError
from semcorr.geometry.formats.source import is_inside

# ShapeNet-Part has some 3000 points a shape, about 60 bytes each
MAX_BYTES = 1 << 26
# Of one file, as of labels of meshes: memory of votes grows with it
MAX_LABEL = 1000
COLUMNS = 7


def read_points(path: Path) -> tuple[Float[np.ndarray, "p 3"], Int[np.ndarray, " p"]]:
    """Read a text file of labelled points, one a line: x y z nx ny nz label.

    Returns:
        Positions as in the file (p, 3) float64, and labels (p,) int64; normals are left out.

    Raises:
        ItemError: empty, too large, letters, another number of columns, NaN or infinite positions,
            a label that is no whole number of 0 .. 1000.
    """
    text = _read(path)
    if not text.strip():
        raise _error(path, "has no points")
    try:
        rows = np.loadtxt(io.StringIO(text), dtype=np.float64, comments=None, ndmin=2)
    except ValueError as error:
        raise _error(path, f"is not {COLUMNS} numbers a line: {str(error)[:200]}") from error
    if rows.shape[1] != COLUMNS:
        raise _error(path, f"has {rows.shape[1]} columns, expected x y z nx ny nz label")
    positions, labels = rows[:, :3], rows[:, -1]
    if not np.isfinite(positions).all():
        wrong = int(np.argmin(np.isfinite(positions).all(axis=1)))
        raise _error(path, f"has NaN or infinite positions (point {wrong})")
    whole = np.isfinite(labels) & (labels == np.floor(np.nan_to_num(labels)))
    fitting = whole & (labels >= 0) & (labels <= MAX_LABEL)
    if not fitting.all():
        wrong = int(np.argmin(fitting))
        raise _error(path, f"label {labels[wrong]} of point {wrong} is no number of 0..{MAX_LABEL}")
    return np.ascontiguousarray(positions), labels.astype(np.int64)


def read_annotation(path: Path) -> dict[str, Float[np.ndarray, "m 3"]]:
    """Read positions listed per part: {part: [[x, y, z], ...], ...} as JSON.

    Raises:
        ItemError: malformed, no part, a part without positions, NaN or infinite positions.
    """
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise _error(path, f"is not JSON: {error}") from error
    if not isinstance(content, dict) or not content:
        raise _error(path, "expected an object of parts")
    return {part: _listed(path, part, rows) for part, rows in content.items()}


def inside(root: Path, path: Path) -> Path:
    """Return a path after checking that it, symbolic links followed, lies in `root`.

    Raises:
        ItemError: status `outside`.
    """
    if not is_inside(path, root):
        raise _error(path, "leaves the folder of the data set", "outside")
    return path


def _listed(path: Path, part: str, rows: object) -> Float[np.ndarray, "m 3"]:
    try:
        listed = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise _error(path, f"part {part!r} is not a list of (x, y, z)") from error
    if listed.ndim != 2 or listed.shape[1] != 3 or not len(listed):
        raise _error(path, f"part {part!r} is not a list of (x, y, z)")
    if not np.isfinite(listed).all():
        raise _error(path, f"part {part!r} holds NaN or infinite positions")
    return listed


def _read(path: Path) -> str:
    """Return the text of a file."""
    with open(path, "rb") as handle:
        data = handle.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _error(path, f"is larger than the {MAX_BYTES} bytes allowed")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _error(path, "is no text") from error


def _error(path: Path, reason: str, status: str = "failed") -> ItemError:
    return ItemError(f"{path.parent.name}/{path.name}: {reason}", status)
