"""Mugs and cups: hollow bodies with one handle behind or two at the sides, some with a lid.

A handle lies in the mirror plane at +Y, so that the side away from it is the front.
"""

from typing import NamedTuple

import numpy as np

from semcorr.datasets.shapes import curves, lofts, palette, parts
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.category import Category, Draft, mirror_pairs
from semcorr.datasets.shapes.mug_handles import HANDLES
from semcorr.datasets.shapes.solids import Solid
from semcorr.geometry.mesh import Material

LABELS = ("body", "handle", "lid")
KEYPOINTS = (
    "rim_front", "rim_back", "rim_left", "rim_right", "base_center", "base_front", "base_left",
    "base_right", "inside_center", "handle_top", "handle_bottom", "handle_outer",
    "handle_left_top", "handle_right_top", "handle_left_bottom", "handle_right_bottom",
    "handle_left_outer", "handle_right_outer", "lid_top",
)  # fmt: skip

SIDES = 32  # vertices around a body


class Kind(NamedTuple):
    """A familiar kind of mug: height in diameters, and the constructions that it may have."""

    height: tuple[float, float]
    walls: str
    handles: str
    outline: str
    lids: str


KINDS = (
    Kind((0.95, 1.35), "straight", "c square", "round", "none"),
    Kind((0.85, 1.3), "cone barrel", "c ear", "round", "none"),
    Kind((0.5, 0.75), "bowl cup", "ear ring", "round", "none"),
    Kind((0.5, 0.7), "bowl straight", "two_c two_ear", "round", "none"),
    Kind((1.3, 1.9), "straight stein cone", "c square ear", "round faceted", "none dome"),
    Kind((1.3, 1.9), "travel cone", "c strap", "round", "flat"),
    Kind((0.9, 1.3), "straight barrel", "square c", "squared", "none"),
    Kind((0.9, 1.4), "tulip flared", "ear c hook", "round", "none"),
    Kind((0.9, 1.3), "straight cone", "hook triangle", "round", "none"),
    Kind((0.8, 1.2), "straight barrel flared", "ring triangle", "round faceted", "none"),
    Kind((1.0, 1.5), "belly tulip", "ear c", "round", "none dome"),
    Kind((0.8, 1.2), "cone belly cup", "two_c two_ring", "round", "none"),
    Kind((0.6, 0.9), "straight", "strap c", "round squared", "none flat"),
    Kind((0.7, 1.0), "footed cup", "ear ring", "round", "none"),
)

# outer radii at equal heights from base to rim, as shares of the largest
WALLS = {
    "straight": (0.97, 1.0, 1.0, 1.0),
    "cone": (0.68, 0.79, 0.9, 1.0),
    "barrel": (0.8, 0.96, 1.0, 0.96, 0.86),
    "bowl": (0.55, 0.85, 0.97, 1.0),
    "cup": (0.5, 0.62, 0.82, 0.95, 1.0),
    "stein": (1.0, 0.93, 0.89, 0.87, 0.86),
    "travel": (0.7, 0.78, 0.94, 1.0, 1.0),
    "tulip": (0.7, 0.98, 0.95, 0.8, 0.84, 0.98),
    "flared": (0.78, 0.76, 0.78, 0.85, 1.0),
    "belly": (0.68, 0.95, 1.0, 0.85, 0.72, 0.76),
    "footed": (0.62, 0.42, 0.75, 0.95, 1.0, 1.0),
}


class Plan(NamedTuple):
    """Measures of a mug; its largest diameter is 1.

    Attributes:
        wall, handle, outline, lid: names of the constructions.
        height: of the body.
        thick: of the wall; floor: of the bottom.
        corner: height over which the base is rounded.
        reach: how far handles stand out.
        low, high: heights of the handle's ends as shares of the body's.
        grip: (across, along) half thickness of the handle.
    """

    wall: str
    handle: str
    outline: str
    lid: str
    height: float
    thick: float
    floor: float
    corner: float
    reach: float
    low: float
    high: float
    grip: tuple[float, float]

    def radius(self, z) -> np.ndarray:
        """Outer radius at height z."""
        z = np.asarray(z, np.float64)
        wide = 0.5 * lofts.smooth(z / self.height, WALLS[self.wall])
        # the base is rounded
        low = np.clip(1 - z / self.corner, 0.0, 1.0)
        return wide - self.corner * 0.7 * (1 - np.sqrt(1 - low**2))


def build(stratum: int, rng: np.random.Generator) -> Draft:
    """Draw a mug of kind number `stratum`."""
    plan = draw_plan(KINDS[stratum], rng)
    asm = Assembly(LABELS, draw_materials(rng), step=0.05 * max(1.0, plan.height))
    asm.add(body(plan, asm.step), "body", "body")
    handles(asm, plan)
    if plan.lid != "none":
        lid(asm, plan)
    mark(asm, plan)
    pairs = [pair for pair in mirror_pairs(KEYPOINTS) if pair[0] in asm.keypoints]
    topology = f"{plan.wall}/{plan.handle}/{plan.outline}/{plan.lid}"
    return Draft(asm, topology, tuple(pairs))


def draw_plan(kind: Kind, rng: np.random.Generator) -> Plan:
    """Draw constructions and measures of a mug."""
    wall, handle, outline, lid_ = (str(rng.choice(names.split())) for names in kind[1:])
    height, across = rng.uniform(*kind.height), rng.uniform(0.035, 0.075)
    small = handle in ("ring", "two_ring")
    low = rng.uniform(0.3, 0.45) if small else rng.uniform(0.14, 0.32)
    high = rng.uniform(0.72, 0.8) if small else rng.uniform(0.74, 0.88)
    return Plan(
        wall, handle, outline, lid_, height,
        thick=rng.uniform(0.03, 0.075), floor=rng.uniform(0.05, 0.12) * min(height, 1.0),
        corner=rng.uniform(0.02, 0.1) * height,
        reach=rng.uniform(0.22, 0.42) * min(1.0, 0.5 + 0.5 * height),
        low=low, high=high, grip=(across * rng.uniform(0.9, 1.8), across * rng.uniform(0.55, 1.0)),
    )  # fmt: skip


def draw_materials(rng: np.random.Generator) -> dict[str, Material]:
    """Draw materials for the roles body, handle, lid."""
    main = (palette.plastic, palette.fabric, palette.metal)[rng.integers(3)](rng)
    handle = main if rng.random() < 0.65 else palette.plastic(rng)
    top = main if rng.random() < 0.4 else palette.plastic(rng)
    materials = {
        "body": palette.material(main),
        "handle": palette.material(handle),
        "lid": palette.material(top),
    }
    if rng.random() < 0.25:
        pattern = (palette.stripes, palette.weave, palette.grain)[rng.integers(3)]
        materials["body"] = palette.material(main, pattern(main, rng))
    return materials


def body(plan: Plan, step: float) -> Solid:
    """The vessel: outer wall, rim, inner wall and floor in one closed surface."""
    z = np.linspace(0.0, plan.height, 200)
    outer = curves.even(np.stack([plan.radius(z), z], axis=1), step)
    z = np.linspace(plan.height, plan.floor, 200)
    # the inside of the base is rounded more than the outside
    round_ = np.clip(1 - (z - plan.floor) / (2 * plan.corner), 0, 1)
    inner = (
        plan.radius(np.maximum(z, plan.corner))
        - plan.thick
        - plan.corner * (1 - np.sqrt(1 - round_**2))
    )
    inner = curves.even(np.stack([np.maximum(inner, 0.05), z], axis=1), step)
    rim = np.array([[0.5 * (outer[-1, 0] + inner[0, 0]), plan.height + 0.35 * plan.thick]])
    profile = [_floor(outer[0], step), outer, rim, inner, _floor(inner[-1], step)[::-1]]
    return parts.lathe(np.concatenate(profile), SIDES).warped(lambda p: _outlined(plan, p))


def _floor(edge, step: float) -> np.ndarray:
    """Rings from the axis to just before the edge (radius, height)."""
    share = np.linspace(0.0, 1.0, max(2, int(np.ceil(edge[0] / (1.3 * step)))) + 1)[:-1]
    return np.stack([share * edge[0], np.full(len(share), edge[1])], axis=1)


def _outlined(plan: Plan, p) -> np.ndarray:
    """The round body as it is, or drawn out to eight or to four sides, corners softened."""
    angle = np.arctan2(np.abs(p[:, 1]), np.abs(p[:, 0]))
    c, s = np.cos(angle), np.sin(angle)
    if plan.outline == "faceted":
        factor = 1 / np.maximum(np.maximum(c, s), (c + s) * np.sqrt(0.5))
    elif plan.outline == "squared":
        factor = (c**6 + s**6) ** (-1 / 6)
    else:
        return p
    return p * np.stack([factor, factor, np.ones(len(p))], axis=1)


def handles(asm: Assembly, plan: Plan) -> None:
    """One handle behind, or a pair at the sides."""
    name = plan.handle.removeprefix("two_")
    path, scale = HANDLES[name](plan, asm.step)
    section = lofts.outline(12, 2.6)
    # broad across the handle's plane
    across, up = plan.grip
    solid = parts.tube(path, section * (across, up), (1.0, 0.0, 0.0), scale)
    solid = solid.warped(lambda p: _outside(plan, p))
    top, bottom = path[0], path[-1]
    outer = path[np.argmax(path[:, 1])] + (0.0, 0.1, 0.0)
    ends = {"top": top + (0, 0.1, 0.1), "bottom": bottom + (0, 0.1, -0.1), "outer": outer}
    if plan.handle.startswith("two_"):
        asm.add_pair(solid.warped(_to_side), "handle", "handle")
        for end, point in ends.items():
            asm.mark_pair("handle_{}_" + end, _to_side(point[None])[0], "handle")
        return
    asm.add(solid, "handle", "handle")
    for end, point in ends.items():
        asm.mark("handle_" + end, point, "handle")


def _outside(plan: Plan, p) -> np.ndarray:
    """Handle points moved out (+y) until none of them shows on the inside of the wall."""
    inside = plan.radius(np.clip(p[:, 2], 0, plan.height)) - 0.6 * plan.thick
    least = np.sqrt(np.maximum(inside**2 - p[:, 0] ** 2, 0.0))
    return np.stack([p[:, 0], np.maximum(p[:, 1], least), p[:, 2]], axis=1)


def _to_side(p) -> np.ndarray:
    """Turned about z from +Y to +X."""
    return np.stack([p[:, 1], -p[:, 0], p[:, 2]], axis=1)


def lid(asm: Assembly, plan: Plan) -> None:
    """A flat or domed lid with a knob, resting in the rim."""
    radius = float(plan.radius(plan.height)) + 0.01
    high = 0.06 if plan.lid == "flat" else 0.22 * radius
    heights = high * np.cos(np.linspace(0.0, np.pi / 2, 8)[::-1])
    across = radius * np.sin(np.linspace(0.0, np.pi / 2, 8)[::-1])
    if plan.lid == "flat":
        across = np.array([1.0, 1.0, 0.96, 0.8, 0.6, 0.4, 0.2, 0.0]) * radius
        heights = np.array([0.0, 0.7, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) * high
    share = np.linspace(0.0, 1.0, 7)[:-1]
    below = np.stack([share * radius, np.zeros(6)], axis=1)
    profile = np.concatenate([below, np.stack([across, heights], axis=1)])
    profile[-1, 0] = 0.0
    solid = parts.lathe(profile, SIDES)
    base = plan.height + 0.1 * plan.thick
    solid = solid.warped(lambda p: _outlined(plan, p)).moved((0, 0, base))
    asm.add(solid, "lid", "lid")
    knob = parts.ball((0.07, 0.07, 0.05), 12, 5).moved((0, 0, base + high + 0.03))
    asm.add(knob, "lid", "lid")
    asm.mark("lid_top", (0.0, 0.0, plan.height + 1.0), "lid")


def mark(asm: Assembly, plan: Plan) -> None:
    """Place the keypoints of the body."""
    top, base = plan.height + plan.thick, float(plan.radius(0.0))
    wide = float(plan.radius(plan.height)) - 0.5 * plan.thick
    asm.mark("rim_front", (0.0, -wide, top), "body")
    asm.mark("rim_back", (0.0, wide, top), "body")
    asm.mark_pair("rim_{}", (wide, 0.0, top), "body")
    asm.mark("base_center", (0.0, 0.0, 0.0), "body")
    asm.mark("base_front", (0.0, -base, 0.0), "body")
    asm.mark_pair("base_{}", (base, 0.0, 0.0), "body")
    if plan.lid == "none":
        asm.mark("inside_center", (0.0, 0.0, plan.floor), "body")


CATEGORY = Category(LABELS, KEYPOINTS, len(KINDS), build)
