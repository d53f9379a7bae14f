"""STL, binary and ascii: corners at exactly the same position are one vertex."""

import numpy as np
from jaxtyping import Float, Int

from semcorr.geometry.formats.source import Source
from semcorr.geometry.formats.text import without_mark
from semcorr.geometry.mesh import Mesh

_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEADER = 84


def parse(source: Source) -> Mesh:
    """Read an STL file; vertices in the order in which they first appear, triangles as in the file."""
    text = without_mark(source.data)
    corners = _ascii(source, text) if _is_ascii(text) else _binary(source)
    if not len(corners):
        raise source.no_faces(0)
    vertices, faces = _merged(corners)
    source.check_vertices(len(vertices))
    return Mesh(vertices, faces)


def _merged(
    corners: Float[np.ndarray, "n 3"],
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Return the different positions in the order in which they first appear, and the triangles.

    -0.0 is 0.0; a position with NaN is like no other.
    """
    corners = corners + 0.0
    order = np.lexsort(corners.T)  # stable: of equal positions the first one comes first
    in_order = corners[order]
    new = np.concatenate([[True], np.any(in_order[1:] != in_order[:-1], axis=1)])
    first = np.empty(len(corners), np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    kept = first == np.arange(len(corners))
    return corners[kept], (np.cumsum(kept) - 1)[first].reshape(-1, 3)


def _is_ascii(data: bytes) -> bool:
    # binary files may begin with "solid" too, so the length that their header claims decides first
    if len(data) >= _HEADER:
        count = int.from_bytes(data[80:84], "little")
        if len(data) == _HEADER + count * _RECORD.itemsize:
            return False
    head = data[:1024].lstrip().lower()
    return head.startswith(b"solid") and b"\0" not in head


def _binary(source: Source) -> Float[np.ndarray, "n 3"]:
    if len(source.data) < _HEADER:
        raise source.error(f"is not an STL file: {len(source.data)} bytes, no header")
    count = int.from_bytes(source.data[80:84], "little")
    there = (len(source.data) - _HEADER) // _RECORD.itemsize
    if count > there:
        raise source.error(f"is truncated: {count} triangles in the header, {there} in the file")
    source.check_faces(count)
    records = np.frombuffer(source.data, _RECORD, count, _HEADER)
    return records["corners"].reshape(-1, 3).astype(np.float64)


def _ascii(source: Source, text: bytes) -> Float[np.ndarray, "n 3"]:
    lines = text.lower().splitlines()
    # the name of a solid may be anything, "vertex" included
    kept = [line for line in lines if not line.lstrip().startswith((b"solid", b"endsolid"))]
    tokens = b" ".join(kept).split()
    starts = [i for i, token in enumerate(tokens) if token == b"vertex"]
    if len(starts) % 3 or (starts and starts[-1] + 3 >= len(tokens)):
        raise source.error(f"is truncated: {len(starts)} corners are no whole triangles")
    source.check_faces(len(starts) // 3)
    values = [tokens[start + k] for start in starts for k in (1, 2, 3)]
    return np.array(values, dtype=np.float64).reshape(-1, 3)
