"""Where in a view the object is, as hints for a network that segments what it is shown.

Positions are (x, y) in pixels of the view, pixel centres at +0.5.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt


def box_around(inside: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, " 4"]:
    """Return the smallest box (left, top, right, bottom) around the pixels of the object.

    Args:
        inside: at least one pixel is set.
    """
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def points_inside(inside: Bool[np.ndarray, "h w"], count: int) -> Float[np.ndarray, "p 2"]:
    """Return points of the object: the one farthest from its outline, then each far from those before.

    Args:
        inside: at least one pixel is set.
        count: wanted; an object of fewer pixels has fewer points.
    """
    # the outside of the view bounds the object, too
    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    row, column = np.nonzero(inside)
    pixels = np.stack([column, row], axis=1) + 0.5
    clearance = depth[row, column]
    chosen = [int(np.argmax(clearance))]
    far = np.full(len(pixels), np.inf)
    while len(chosen) < min(count, len(pixels)):
        far = np.minimum(far, np.linalg.norm(pixels - pixels[chosen[-1]], axis=1))
        # no point on the outline while there are others: nearer than the clearance counts less
        chosen.append(int(np.argmax(np.minimum(far, 4 * clearance) * (far > 0))))
    return pixels[chosen]


def grid_over(height: int, width: int, side: int) -> Float[np.ndarray, "p 2"]:
    """Return side x side points in the middles of as many equal parts of a view, row by row."""
    x, y = ((np.arange(side) + 0.5) / side * extent for extent in (width, height))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
