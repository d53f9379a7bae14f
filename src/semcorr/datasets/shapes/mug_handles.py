"""Centre lines of the handles of mugs, in the plane x = 0; lengths in diameters of the mug.

Every handle is a function (`mug.Plan`, step) -> (path (n, 3) from above to below, scale of its section).
"""

import numpy as np

from semcorr.datasets.shapes import curves


def _ends(plan) -> tuple[np.ndarray, np.ndarray]:
    """Where the handle begins above and ends below, within the wall (3,)."""
    found = []
    for share in (plan.high, plan.low):
        z = share * plan.height
        found.append(np.array([0.0, float(plan.radius(z)) - 0.5 * plan.thick, z]))
    return found[0], found[1]


def _out(plan) -> float:
    """How far out (y) the handle reaches."""
    return max(float(plan.radius(s * plan.height)) for s in (plan.high, plan.low)) + plan.reach


def c(plan, step: float):
    """A plain arc."""
    top, bottom = _ends(plan)
    out = _out(plan) + 0.3 * plan.reach
    rise = 0.15 * (top[2] - bottom[2])
    path = curves.bezier(
        [top, (0, out, top[2] + rise), (0, out, bottom[2] - rise), bottom], 0.7 * step
    )
    return path, 1.0


def ear(plan, step: float):
    """An arc that hangs over above and narrows below."""
    top, bottom = _ends(plan)
    out, drop = _out(plan), top[2] - bottom[2]
    middle = (0, out + 0.55 * plan.reach, top[2] + 0.3 * drop)
    path = curves.bezier([top, middle, (0, out, bottom[2] + 0.1 * drop), bottom], 0.7 * step)
    return path, np.linspace(1.1, 0.7, len(path))


def square(plan, step: float):
    """Two level bars and an upright one."""
    top, bottom = _ends(plan)
    out = _out(plan)
    corners = [top, (0, out, top[2]), (0, out, bottom[2]), bottom]
    return curves.filleted(corners, 0.12, step, 5), 1.0


def strap(plan, step: float):
    """As `square`, set close to the wall from top to bottom, thin and broad."""
    plan = plan._replace(reach=0.65 * plan.reach, high=0.9, low=0.18)
    path, _ = square(plan, step)
    return path, 0.85


def triangle(plan, step: float):
    """A level bar above and one that slants back below."""
    top, bottom = _ends(plan)
    corners = [top, (0, _out(plan) + 0.06, top[2]), bottom]
    return curves.filleted(corners, 0.1, step, 5), 1.0


def ring(plan, step: float):
    """Nearly a full circle."""
    top, bottom = _ends(plan)
    size = 0.5 * (top[2] - bottom[2])
    middle = 0.5 * (top + bottom)
    out = max(top[1], bottom[1]) + 0.9 * size
    angle = np.radians(np.linspace(115, -115, max(12, int(np.ceil(4.0 * size / step)))))
    circle = np.stack(
        [0 * angle, out + size * np.cos(angle), middle[2] + size * np.sin(angle)], axis=1
    )
    return np.concatenate([[top], circle, [bottom]]), 0.8


def hook(plan, step: float):
    """Open below: the handle's end hangs free."""
    top, bottom = _ends(plan)
    out = _out(plan)
    corners = [
        top,
        (0, out, top[2]),
        (0, out - 0.02, 0.5 * (top[2] + bottom[2])),
        (0, out - 0.1, bottom[2]),
    ]
    path = curves.filleted(corners, 0.14, step, 5)
    return path, np.linspace(1.1, 0.85, len(path))


HANDLES = {f.__name__: f for f in (c, ear, square, strap, triangle, ring, hook)}
