"""Aeroplanes: eighteen types from gliders to jumbos; parts are body, wing, tail, engine."""

import numpy as np

from semcorr.datasets.shapes import curves, lofts, palette
from semcorr.datasets.shapes.aeroplane_engines import canopy, engines, gear
from semcorr.datasets.shapes.aeroplane_plan import TYPES, Aeroplane, draw
from semcorr.datasets.shapes.aeroplane_wings import tail, wings
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.category import Category, Draft, mirror_pairs
from semcorr.geometry.mesh import Material

LABELS = ("body", "wing", "tail", "engine")
KEYPOINTS = (
    "nose_tip", "tail_tip", "body_top", "wing_left_tip", "wing_right_tip", "wing_left_root_front",
    "wing_right_root_front", "wing_left_root_rear", "wing_right_root_rear", "stabiliser_left_tip",
    "stabiliser_right_tip", "fin_top", "fin_left_top", "fin_right_top", "engine_front",
    "engine_left_front", "engine_right_front", "engine_rear", "engine_left_rear",
    "engine_right_rear",
)  # fmt: skip


def build(stratum: int, rng: np.random.Generator) -> Draft:
    """Draw an aeroplane of type number `stratum`."""
    plane = draw(tuple(TYPES)[stratum], rng)
    asm = Assembly(LABELS, draw_materials(rng), step=0.05 * max(1.0, plane.span))
    body(asm, plane)
    for part in (canopy, wings, tail, engines, gear):
        part(asm, plane)
    pairs = [pair for pair in mirror_pairs(KEYPOINTS) if pair[0] in asm.keypoints]
    names = (plane.type, plane.body, plane.wings, plane.tail, plane.engines, plane.gear)
    return Draft(asm, "/".join(names), tuple(pairs))


def body(asm: Assembly, a: Aeroplane) -> None:
    """The fuselage."""
    y = curves.line((0, 0.5, 0), (0, -0.5, 0), asm.step)[:, 1]
    path = np.stack([0 * y, y, a.middle(y)], axis=1)
    high = a.half_height(y)
    asm.add(lofts.rounded(path, a.breadth * high, high, 16, power=a.power, cap=0.9), "body", "body")
    asm.mark("nose_tip", (0.0, -1.0, a.middle(-0.5)), "body")
    asm.mark("tail_tip", (0.0, 1.0, a.middle(0.5)), "body")
    asm.mark("body_top", (0.0, 0.05, 1.0), "body")


def draw_materials(rng: np.random.Generator) -> dict[str, Material]:
    """Draw materials for the roles body, wing, engine, trim, blade, tyre, glass."""
    main = palette.plastic(rng) if rng.random() < 0.6 else palette.metal(rng)
    wing = main if rng.random() < 0.6 else palette.plastic(rng)
    colors = {
        "body": main,
        "wing": wing,
        "engine": (main, wing, palette.metal(rng))[rng.integers(3)],
        "trim": palette.metal(rng),
        "blade": palette.wood(rng) if rng.random() < 0.3 else (0.15, 0.15, 0.16),
        "tyre": (0.10, 0.10, 0.11),
        "glass": (0.25, 0.33, 0.42),
    }
    materials = {role: palette.material(color) for role, color in colors.items()}
    if rng.random() < 0.2:
        materials["body"] = palette.material(main, palette.stripes(main, rng))
    return materials


CATEGORY = Category(LABELS, KEYPOINTS, len(TYPES), build)
