"""Pieces that backs of chairs are put together from: boards, slats, posts, rods, straps.

All measures are in the unrolled back: s across, t up the slope, n forward (see `Plan.to_back`).
"""

from collections.abc import Callable

import numpy as np

from semcorr.datasets.shapes import curves, parts
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.chair_plan import Plan

LABEL = "back"
ACROSS = (1.0, 0.0, 0.0)


def crown(plan: Plan, rng: np.random.Generator, narrow: bool = True) -> Callable:
    """Random outline: arched top edge, and for boards a narrower top."""
    arch = rng.choice((0.0, 0.0, 0.04, 0.08)) * min(1.0, plan.back_height / 0.4)
    taper = rng.choice((0.0, 0.0, 0.12, 0.3)) if narrow else 0.0
    half, h = plan.half_back, plan.back_height

    def warp(p):
        share = np.clip(p[:, 1] / h, 0, 1)
        s = p[:, 0] * (1 - taper * share**4)
        t = p[:, 1] + arch * share**2 * (1 - (p[:, 0] / half) ** 2)
        return np.stack([s, t, p[:, 2]], axis=1)

    return warp


def plate(
    asm: Assembly, plan: Plan, across, up, thick: float, soft: float, outline=None, role="back"
) -> None:
    """Board of the back: s range, t range, thickness; soft edges as a share of the thickness."""
    size = (across[1] - across[0], up[1] - up[0], thick)
    # a bowed board is longer than its chord and needs as many more edges
    chord = np.linspace(*across, 33)[:, None] * ACROSS - (0.0, 0.0, thick / 2)
    bowed = np.sqrt((np.diff(plan.to_back(chord), axis=0) ** 2).sum(axis=1)).max() * 32
    step = np.array([plan.step * size[0] / bowed, plan.step, plan.step])
    bevel = soft * thick
    middle = (sum(across) / 2, sum(up) / 2, 0.0)
    solid = parts.box(size, bevel, step, 2 if bevel > 0.02 else 1).moved(middle)
    if outline is not None:
        solid = solid.warped(outline)
    asm.add(solid.warped(plan.to_back), LABEL, role)


def slat(asm: Assembly, plan: Plan, s: float, width: float, up: tuple, thick: float) -> None:
    """Upright slat around s (and its mirror image unless s is 0)."""
    size = (width, up[1] - up[0], thick)
    solid = parts.box(size, 0.25 * thick, plan.step).moved((s, sum(up) / 2, 0.0))
    (asm.add_pair if s > 1e-9 else asm.add)(solid.warped(plan.to_back), LABEL, "back")


def posts(asm: Assembly, plan: Plan, top: float, rng: np.random.Generator) -> None:
    """Outer posts from the seat up, slightly slimmer towards the top."""
    size = plan.bar * 0.9
    section = curves.rectangle(size, size) if plan.square else curves.circle(8, size / 2)
    path = curves.line((plan.half_back, plan.foot, 0), (plan.half_back, top, 0), plan.step)
    scale = np.linspace(1.0, rng.uniform(0.7, 1.0), len(path))
    asm.add_pair(parts.tube(plan.to_back(path), section, ACROSS, scale), LABEL, "frame")


def rod(
    asm: Assembly, plan: Plan, s: float, top: float, radius: float, bulge: float, low=None
) -> None:
    """Thin round rod around s (and its mirror image unless s is 0), from the seat or from `low`."""
    low = plan.foot if low is None else low
    path = curves.line((s, low, 0), (s, top, 0), plan.step)
    share = np.linspace(0, 1, len(path))
    scale = 1 + bulge * np.sin(np.pi * share)
    solid = parts.tube(plan.to_back(path), curves.circle(6, radius), ACROSS, scale)
    (asm.add_pair if s > 1e-9 else asm.add)(solid, LABEL, "frame")


def strap(asm: Assembly, plan: Plan, s: float, top: float, thick: float) -> None:
    """Pair of flat straps from the seat up behind or inside a raised board."""
    size = (0.035, top - plan.foot, thick)
    solid = parts.box(size, 0.2 * thick, plan.step)
    solid = solid.moved((s, (top + plan.foot) / 2, -0.3 * plan.back_thick))
    asm.add_pair(solid.warped(plan.to_back), LABEL, "frame")
