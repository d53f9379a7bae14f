"""Table tops: closed slabs around the origin, by outline; metres."""

import numpy as np

from semcorr.datasets.shapes import parts
from semcorr.datasets.shapes.solids import Solid

FLAT = 0.15  # depth of the rear half of a half-round top as a share of a whole one's


def rectangle(width, depth, slab, step, rng) -> Solid:
    """Four corners, edges more or less rounded."""
    return parts.box((width, depth, slab), rng.uniform(0.05, 0.45) * slab, step)


def round_(width, depth, slab, step, rng) -> Solid:
    """A circle."""
    return _disc(width, depth, slab, step, rng)


def oval(width, depth, slab, step, rng) -> Solid:
    """An ellipse."""
    return _disc(width, depth, slab, step, rng)


def rounded(width, depth, slab, step, rng) -> Solid:
    """A rectangle with wide round corners."""
    return _disc(width, depth, slab, step, rng).warped(lambda p: _reshaped(p, width, depth, _soft))


def boat(width, depth, slab, step, rng) -> Solid:
    """Long sides that swell, between round and rectangular."""
    return _disc(width, depth, slab, step, rng).warped(lambda p: _reshaped(p, width, depth, _swell))


def octagon(width, depth, slab, step, rng) -> Solid:
    """Eight equal sides."""
    return _disc(width, depth, slab, step, rng).warped(lambda p: _reshaped(p, width, depth, _eight))


def half(width, depth, slab, step, rng) -> Solid:
    """Round in front, flat behind."""
    whole = 2 * depth / (1 + FLAT)
    solid = _disc(width, whole, slab, step, rng)
    middle = (depth - whole) / 2

    def flatten(p):
        y = np.where(p[:, 1] > 0, FLAT * p[:, 1], p[:, 1])
        return np.stack([p[:, 0], y - middle, p[:, 2]], axis=1)

    return solid.warped(flatten)


TOPS = {
    "rectangle": rectangle, "round": round_, "oval": oval, "rounded": rounded, "boat": boat,
    "octagon": octagon, "half": half,
}  # fmt: skip


def on_top(top: str, half_width: float, half_depth: float, u: float, v: float) -> tuple:
    """Point (x, y) in the direction of corner (u, v) where a leg finds room under a top."""
    share = {"rectangle": 1.0, "rounded": 0.84, "boat": 0.8, "octagon": 0.72, "half": 0.68}
    s = share.get(top, 0.68)
    return u * s * half_width, v * s * half_depth


def _disc(width, depth, slab, step, rng) -> Solid:
    radius = max(width, depth) / 2
    solid = parts.disc(radius, slab, rng.uniform(0.1, 0.4) * slab, step)
    return solid.scaled((width / 2 / radius, depth / 2 / radius, 1.0))


def _reshaped(p, width, depth, radius_of) -> np.ndarray:
    """An elliptic slab's points moved along their rays to another outline."""
    x, y = 2 * p[:, 0] / width, 2 * p[:, 1] / depth
    angle = np.arctan2(np.abs(y), np.abs(x))
    factor = radius_of(np.cos(angle), np.sin(angle))
    # the middle keeps its round rings
    factor = 1 + (factor - 1) * np.clip(np.hypot(x, y), 0, 1)
    return np.stack([factor * p[:, 0], factor * p[:, 1], p[:, 2]], axis=1)


def _soft(c, s):
    return (c**5 + s**5) ** (-1 / 5)


def _swell(c, s):
    return (c**3 + s**3) ** (-1 / 3)


def _eight(c, s):
    return 1 / np.maximum(np.maximum(c, s), (c + s) * np.sqrt(0.5))
