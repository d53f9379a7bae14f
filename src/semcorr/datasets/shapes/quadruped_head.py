"""Ears, horns, tusks, trunk and what else tells species apart."""

import numpy as np

from semcorr.datasets.shapes import curves, lofts, parts
from semcorr.datasets.shapes.articulated import Figure
from semcorr.datasets.shapes.quadruped_parts import bend
from semcorr.datasets.shapes.quadruped_plan import Animal

SIDE = np.array([1.0, 0.0, 0.0])


def on_head(a: Animal, side: float, ahead: float, above: float) -> np.ndarray:
    """A point (3,) from the poll: side and height in skull sizes, ahead in head lengths."""
    size = a.head_size
    return a.poll + side * size * SIDE + ahead * a.head * a.head_way + above * size * a.head_up


def ears(fig: Figure, a: Animal) -> None:
    """A pair of ears."""
    way, broad, thin, widths, face, root = EARS[a.ears]
    length = a.ear * a.head
    base = on_head(a, *root)
    axes = np.stack([SIDE, a.head_way, a.head_up])
    controls = [base, *(base + length * (np.asarray(point) @ axes) for point in way)]
    path = curves.even(curves.bezier(controls, 0.01), min(0.6 * fig.step, length / 4))
    share = np.linspace(0.0, 1.0, len(path))
    wide = lofts.smooth(share, widths) * broad * length
    normal = {"side": SIDE, "ahead": a.head_way, "up": a.head_up}[face]
    tall = np.minimum(np.full(len(path), thin * length), 0.8 * wide)
    fig.attach_pair(lofts.rounded(path, wide, tall, 8, normal), "{}_ear", "coat", "head")
    tip = path[-1] + (path[-1] - path[-2])
    fig.mark_pair("{}_ear_tip", tip, "left_ear")


# controls (side, ahead, above), breadth and thickness as shares of the length, profile, the axis
# that the breadth lies along, and the root in the units of `on_head`
EARS = {
    "pointed": (((0.15, -0.05, 0.5), (0.3, -0.1, 1.0)), 0.26, 0.09, (0.9, 1.0, 0.7, 0.12), "side",
                (0.5, 0.04, 0.6)),
    "floppy": (((0.35, 0.0, 0.15), (0.5, 0.05, -0.2), (0.45, 0.1, -0.9)), 0.24, 0.08,
               (0.6, 0.9, 1.0, 0.6), "ahead", (0.6, 0.05, 0.6)),
    "long": (((0.15, -0.1, 0.5), (0.3, -0.2, 1.0)), 0.15, 0.08, (0.7, 1.0, 0.9, 0.15), "side",
             (0.4, 0.02, 0.65)),
    "round": (((0.2, -0.1, 0.4), (0.35, -0.1, 0.7)), 0.42, 0.14, (0.8, 1.0, 0.9), "side",
              (0.55, 0.02, 0.6)),
    "side": (((0.5, -0.1, 0.25), (1.0, -0.2, 0.2)), 0.2, 0.09, (0.5, 1.0, 0.9, 0.15), "ahead",
             (0.55, 0.02, 0.5)),
    "flap": (((0.3, -0.35, 0.05), (0.55, -0.9, -0.1)), 0.55, 0.04, (0.65, 1.0, 1.0, 0.5), "up",
             (0.65, 0.15, 0.0)),
}  # fmt: skip


def horns(fig: Figure, a: Animal) -> None:
    """What grows on the head; part of the head, as in sets that have no bones for it."""
    if a.horns == "antlers":
        _antlers(fig, a)
    elif a.horns == "nose":
        for ahead, length in ((0.86, 0.42), (0.6, 0.2)):
            base = on_head(a, 0.0, ahead, 0.3)
            tip = base + length * a.head * (0.95 * a.head_up + 0.3 * a.head_way)
            radii = np.array((0.1, 0.07, 0.012)) * a.head
            fig.attach(lofts.limb(base, tip, radii, 0.05, 8), "head", "horn", "head")
    elif a.horns != "none":
        root, way, thick = HORNS[a.horns]
        _horn(fig, a, on_head(a, *root), way, np.array(thick) * a.head)


# root as in `on_head`; controls (side, ahead, above) in head lengths; radii in head lengths
HORNS = {
    "short": ((0.45, 0.05, 0.7), ((0.25, 0.0, 0.1), (0.4, 0.05, 0.4)), (0.075, 0.06, 0.012)),
    "wide": ((0.5, 0.05, 0.7), ((0.5, 0.0, 0.05), (0.75, 0.1, 0.25), (0.8, 0.15, 0.6)),
             (0.085, 0.07, 0.05, 0.012)),
    "arched": ((0.35, 0.08, 0.75), ((0.1, 0.1, 0.6), (0.25, -0.5, 0.75), (0.35, -0.75, 0.25)),
               (0.09, 0.07, 0.045, 0.012)),
    "curled": ((0.5, 0.06, 0.7), ((0.35, -0.1, 0.55), (0.5, -0.8, 0.1), (0.62, -0.2, -0.65),
                                  (0.65, 0.4, -0.1)), (0.12, 0.11, 0.09, 0.06, 0.015)),
    "knobs": ((0.4, 0.06, 0.75), ((0.04, -0.02, 0.13), (0.07, -0.04, 0.26)), (0.04, 0.034, 0.05)),
    "tusks": ((0.45, 0.72, -0.3), ((0.1, 0.25, -0.3), (0.15, 0.75, -0.2)), (0.06, 0.05, 0.012)),
}  # fmt: skip


def _horn(fig: Figure, a: Animal, base, way, radii) -> None:
    axes = np.stack([SIDE, a.head_way, a.head_up])
    controls = [base, *(base + a.head * (np.asarray(point) @ axes) for point in way)]
    path = curves.even(curves.bezier(controls, 0.01), 0.5 * fig.step)
    if len(path) < 5:
        path = curves.even(curves.bezier(controls, 0.005), 0.03)
    radius = lofts.smooth(np.linspace(0.0, 1.0, len(path)), radii)
    fig.attach_pair(lofts.rounded(path, radius, radius, 8, None), "head", "horn", "head")


def _antlers(fig: Figure, a: Animal) -> None:
    base = on_head(a, 0.4, 0.05, 0.75)
    size = a.head
    thin = np.array((0.05, 0.04, 0.014)) * size
    beam = ((0.45, -0.35, 0.35), (0.6, -0.2, 0.8), (0.5, 0.1, 1.2))
    _horn(fig, a, base, beam, thin)
    axes = np.stack([SIDE, a.head_way, a.head_up]) * size
    line = curves.bezier([base, *(base + np.asarray(p) @ axes for p in beam)], 0.01)
    for share, way in ((0.12, (0.1, 0.4, 0.3)), (0.45, (0.2, 0.35, 0.3)), (0.7, (0.25, -0.2, 0.3))):
        root = line[int(share * len(line))]
        _horn(fig, a, root, (0.5 * np.asarray(way), way), 0.8 * thin)


def extras(fig: Figure, a: Animal) -> None:
    """Mane, beard, humps, trunk."""
    if a.extra == "mane":
        _mane(fig, a)
    elif a.extra == "beard":
        base = on_head(a, 0.0, 0.75, -0.25)
        tip = base - (0, 0, 0.3 * a.head)
        radii = np.array((0.07, 0.06, 0.015)) * a.head
        fig.attach(lofts.limb(base, tip, radii, 0.05, 8), "head", "coat", "head")
    elif a.extra == "trunk":
        _trunk(fig, a)
    elif a.extra == "hump":
        _hump(fig, a, -0.36, 0.34)
    elif a.extra in ("one_hump", "two_humps"):
        for y in (0.0,) if a.extra == "one_hump" else (-0.24, 0.24):
            _hump(fig, a, y, 0.62)


def _hump(fig: Figure, a: Animal, y: float, height: float) -> None:
    reach = 0.26 if a.extra == "one_hump" else 0.17
    radii = (0.6 * a.breadth * a.chest, reach, (0.25 + height) * a.chest)
    solid = parts.ball(radii, 12, 7).moved((0.0, y, a.legs + 0.75 * a.chest))
    fig.attach(solid, "body", "coat", "body")


def _mane(fig: Figure, a: Animal) -> None:
    """A ridge along the back of the neck, part of it."""
    back = np.cross(SIDE, -a.neck_way)
    root, top = a.neck_size * a.chest, 0.8 * a.head_size
    line = curves.line(a.neck_root + 0.2 * a.neck * a.neck_way, a.poll, 0.7 * fig.step)
    share = np.linspace(0.0, 1.0, len(line))
    high = lofts.smooth(0.2 + 0.8 * share, (root, 0.55 * root + 0.45 * top, top))
    path = line + (high * 0.95)[:, None] * back
    solid = lofts.rounded(path, 0.025, 0.05 + 0.1 * root, 8)
    along = bend(solid.vertices, a.neck_root, a.neck_way, a.neck)
    fig.attach(solid, "neck", "foot", "neck", "neck_top", along=along)


def _trunk(fig: Figure, a: Animal) -> None:
    """The trunk is part of the head; its tip is the tip of the muzzle."""
    base = on_head(a, 0.0, 0.9, 0.0)
    down = np.array([0.0, 0.0, -1.0])
    ahead = np.array([0.0, -1.0, 0.0])
    length = 0.85 * base[2]
    controls = [
        base - 0.12 * a.head_way,
        base + 0.2 * length * ahead,
        base + 0.65 * length * down + 0.05 * length * ahead,
        base + length * down + 0.16 * length * ahead,
    ]
    path = curves.even(curves.bezier(controls, 0.01), 0.6 * fig.step)
    share = np.linspace(0.0, 1.0, len(path))
    radius = lofts.smooth(share, (0.8 * a.muzzle, 0.6 * a.muzzle, 0.4 * a.muzzle, 0.25))
    solid = lofts.rounded(path, a.head_size * radius, a.head_size * radius, 12, cap=0.3)
    fig.bone("trunk", base, "head")
    fig.bone("trunk_end", path[len(path) // 2], "trunk")
    rings = np.repeat(np.clip(np.concatenate([[0, 0], share, [1, 1]]) * 2 - 0.5, 0, 1), 12)
    along = np.concatenate([rings, [0.0, 1.0]])
    fig.attach(solid, "head", "coat", "trunk", "trunk_end", along=along)
    fig.mark("muzzle_tip", path[-1] + down, "head")
