"""Hair, hats and packs: parts of the head or of the torso, as in sets of scanned people."""

import numpy as np

from semcorr.datasets.shapes import curves, lofts, parts
from semcorr.datasets.shapes.articulated import Figure
from semcorr.datasets.shapes.human_plan import Person


def dress(fig: Figure, p: Person) -> None:
    """What a person wears on head and back."""
    if p.hair != "none":
        HAIR[p.hair](fig, p)
    if p.dress == "pack":
        size = (1.5 * p.shoulder, 1.1 * p.depth, 0.75 * (p.throat - p.belt))
        y = p.depth + 0.3 * size[1]
        pack = parts.box(size, 0.02, fig.step).moved((0.0, y, 0.5 * (p.throat + p.belt) + 0.02))
        fig.attach(pack, "torso", "shoe", "torso")


def _short(fig: Figure, p: Person) -> None:
    h = p.head
    cap = parts.ball((0.37 * h, 0.42 * h, 0.3 * h), 16, 7).moved((0, 0.05 * h, 1 - 0.26 * h))
    fig.attach(cap, "head", "hair", "head")


def _long(fig: Figure, p: Person) -> None:
    h = p.head
    _short(fig, p)
    path = curves.line((0, 0.3 * h, 1 - 0.3 * h), (0, 0.42 * h, 1 - 1.25 * h), 0.2 * h)
    wide = h * lofts.smooth(np.linspace(0, 1, len(path)), (0.33, 0.36, 0.28))
    fig.attach(lofts.rounded(path, wide, 0.4 * wide, 12), "head", "hair", "head")


def _bun(fig: Figure, p: Person) -> None:
    h = p.head
    _short(fig, p)
    bun = parts.ball((0.16 * h, 0.16 * h, 0.15 * h), 12, 5).moved((0, 0.45 * h, 1 - 0.1 * h))
    fig.attach(bun, "head", "hair", "head")


def _ponytail(fig: Figure, p: Person) -> None:
    h = p.head
    _short(fig, p)
    controls = [(0, 0.38 * h, 1 - 0.2 * h), (0, 0.85 * h, 1 - 0.1 * h), (0, 0.65 * h, 1 - 1.1 * h)]
    path = curves.even(curves.bezier(controls, 0.01), 0.16 * h)
    radius = h * lofts.smooth(np.linspace(0, 1, len(path)), (0.09, 0.13, 0.05))
    fig.attach(lofts.rounded(path, radius, radius, 8), "head", "hair", "head")


def _hat(fig: Figure, p: Person) -> None:
    h = p.head
    brim, crown = 0.6 * h, 0.4 * h
    base = parts.disc(brim, 0.06 * h, 0.02 * h, 0.2 * h).moved((0, 0.03 * h, 1 - 0.22 * h))
    top = parts.disc(crown, 0.42 * h, 0.06 * h, 0.2 * h).moved((0, 0.03 * h, 1 - 0.04 * h))
    for solid in (base, top):
        fig.attach(solid, "head", "hair", "head")


def _antenna(fig: Figure, p: Person) -> None:
    h = p.head
    radii = np.array((0.03, 0.025)) * h
    rod = lofts.limb((0.12 * h, 0, 1 - 0.2 * h), (0.2 * h, 0, 1 + 0.22 * h), radii, 0.15 * h, 8)
    fig.attach_pair(rod, "head", "hair", "head")


def _helmet(fig: Figure, p: Person) -> None:
    h = p.head
    radii = (0.52 * h, 0.55 * h, 0.56 * h)
    fig.attach(parts.ball(radii, 16, 9).moved((0, 0, p.chin + 0.5 * h)), "head", "hair", "head")


HAIR = {
    "short": _short, "long": _long, "bun": _bun, "ponytail": _ponytail, "hat": _hat,
    "antenna": _antenna, "helmet": _helmet,
}  # fmt: skip
