"""What carries only tables: pedestals, trestles, crossed plates. See `supports` for the others."""

import numpy as np

from semcorr.datasets.shapes import curves, lofts, parts
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.supports import ACROSS, LABEL, ROLE, UPRIGHT, Stand

_TIPS = ("leg_front_{}_tip", "leg_back_{}_tip")


def pedestal(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """One turned column on a round foot."""
    _column(asm, stand, rng, rng.uniform(0.5, 0.75) * min(stand.half))


def claw(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """One column on four curved feet."""
    top = stand.top((0.0, 0.0))
    reach, hip = rng.uniform(0.6, 0.9) * np.asarray(stand.half), rng.uniform(0.3, 0.5) * top[2]
    low, thin = 0.12 * top[2], 0.55 * stand.bar
    _turned(asm, rng, rng.uniform(0.9, 1.5) * stand.bar, low, top[2])
    for name, side in zip(_TIPS, (-1.0, 1.0), strict=True):
        foot = np.array([reach[0] * 0.7, side * reach[1] * 0.7, 0.9 * thin])
        path = curves.bezier(
            [(0.0, 0.0, hip), foot * (0.6, 0.6, 0) + (0, 0, hip), foot * (0.8, 0.8, 1), foot],
            asm.step,
        )
        radius = thin * lofts.smooth(np.linspace(0.0, 1.0, len(path)), (1.2, 1.0, 0.8, 0.9))
        asm.add_pair(lofts.rounded(path, radius, radius, 8, UPRIGHT), LABEL, ROLE)
        asm.mark_pair(name, foot * (1, 1, 0), LABEL)


def twin(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Two columns on bars along the depth, tied by a rail."""
    x, y = rng.uniform(0.55, 0.7) * stand.half[0], rng.uniform(0.65, 0.92) * stand.half[1]
    thick, high = stand.bar * rng.uniform(1.0, 1.5), stand.bar * rng.uniform(0.8, 1.2)
    top = stand.top((x, 0.0))[2]
    column = parts.box(
        (thick, thick * rng.uniform(1.0, 2.5), top - 0.5 * high), 0.1 * thick, asm.step
    )
    asm.add_pair(column.moved((x, 0.0, 0.5 * (top + 0.5 * high))), LABEL, ROLE)
    for z, share in ((0.5 * high, 1.0), (top - 0.5 * high, 0.75)):
        bar = parts.beam((x, -share * y, z), (x, share * y, z), 1.1 * thick, high, asm.step)
        asm.add_pair(bar, LABEL, ROLE)
    z = rng.uniform(0.25, 0.7) * top
    rail = parts.beam((-x, 0, z), (x, 0, z), 0.6 * thick, 1.2 * high, asm.step)
    asm.add(rail, LABEL, ROLE)
    for name, side in zip(_TIPS, (-1.0, 1.0), strict=True):
        asm.mark_pair(name, (x, side * y, 0.0), LABEL)


def trestle(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Two A-frames at the ends, tied by a rail."""
    x, spread = rng.uniform(0.62, 0.82) * stand.half[0], rng.uniform(0.65, 0.95) * stand.half[1]
    narrow = rng.uniform(0.06, 0.3) * stand.half[1]
    top = stand.top((x, 0.0))[2]
    section = curves.rectangle(1.1 * stand.bar, 0.8 * stand.bar)
    for name, side in zip(_TIPS, (-1.0, 1.0), strict=True):
        start, foot = np.array([x, side * narrow, top]), np.array([x, side * spread, 0.0])
        path = curves.line(start, foot, asm.step)
        asm.add_pair(parts.tube(path, section, ACROSS), LABEL, ROLE)
        asm.mark_pair(name, foot, LABEL)
    for share in (rng.uniform(0.3, 0.6), 1.0):
        y, z = narrow + share * (spread - narrow), top * (1 - share)
        if share == 1.0:
            y, z = narrow + 0.06, top - 0.5 * stand.bar
        bar = parts.beam((x, -y, z), (x, y, z), 0.9 * stand.bar, 0.8 * stand.bar, asm.step)
        asm.add_pair(bar, LABEL, ROLE)
        if share < 1.0:
            rail = parts.beam((-x, 0, z), (x, 0, z), 0.7 * stand.bar, stand.bar, asm.step)
            asm.add(rail, LABEL, ROLE)


def cross(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Two upright plates that cross in the middle."""
    share, thick = rng.uniform(0.55, 0.8), rng.uniform(0.6, 1.0) * stand.bar
    half, top = share * np.asarray(stand.half), stand.top((0.0, 0.0))[2]
    sizes = ((2 * half[0], thick, top), (thick, 2 * half[1], top))
    for size in sizes:
        asm.add(parts.box(size, 0.15 * thick, asm.step).moved((0, 0, top / 2)), LABEL, ROLE)


def drum(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """One wide body under the whole top: an hourglass, a barrel or a cone."""
    top, reach = stand.top((0.0, 0.0))[2], rng.uniform(0.55, 0.85) * min(stand.half)
    form = ((1.0, 0.55, 0.95), (0.75, 1.0, 0.75), (1.0, 0.8, 0.55))[rng.integers(3)]
    heights = curves.line((0, 0, 0), (0, 0, top), asm.step)[:, 2]
    wall = np.stack([reach * lofts.smooth(heights / top, form), heights], axis=1)
    _lathed(asm, wall, reach)


TABLE_SUPPORTS = {f.__name__: f for f in (pedestal, claw, twin, trestle, cross, drum)}


def _column(asm: Assembly, stand: Stand, rng, reach: float) -> None:
    """A column with a round foot: a plate or a cone."""
    top, thick = stand.top((0.0, 0.0))[2], stand.bar * rng.uniform(0.7, 1.4)
    flow = rng.uniform(0.05, 0.3)
    heights = np.linspace(0.0, top, max(12, int(np.ceil(top / asm.step))) + 1)
    wall = thick + (reach - thick) * np.exp(-heights / (flow * top))
    wall = curves.even(np.stack([wall, heights], axis=1), asm.step)
    _lathed(asm, wall, reach)


def _turned(asm: Assembly, rng, radius: float, low: float, top: float) -> None:
    """A turned post between two heights."""
    heights = curves.line((0, 0, low), (0, 0, top), 0.5 * asm.step)[:, 2]
    share = (heights - low) / (top - low)
    forms = ((1.0, 1.4, 0.8, 0.9, 1.3), (0.8, 1.2, 1.0, 1.0), (1.3, 0.7, 1.3, 0.7, 1.1))
    wall = np.stack([radius * lofts.smooth(share, forms[rng.integers(3)]), heights], axis=1)
    profile = np.concatenate([[[0.0, low]], wall, [[0.0, top]]])
    asm.add(parts.lathe(profile, 12), LABEL, ROLE)


def _lathed(asm: Assembly, wall, reach: float) -> None:
    """A lathed body from a wall (n, 2) of radius and height, its ends closed in rings."""
    sides = 4 * max(4, int(np.ceil(2 * np.pi * reach / (4 * asm.step))))
    ends = []
    for radius, height in (wall[0], wall[-1]):
        share = np.linspace(0.0, 1.0, max(2, int(np.ceil(radius / asm.step))) + 1)[:-1]
        ends.append(np.stack([share * radius, np.full(len(share), height)], axis=1))
    asm.add(parts.lathe(np.concatenate([ends[0], wall, ends[1][::-1]]), sides), LABEL, ROLE)
