"""Tables: tops of many outlines on legs, pedestals, trestles and cabinets.

As in sets of real tables, rails, shelves and columns below the top count as leg.
"""

from typing import NamedTuple

import numpy as np

from semcorr.datasets.shapes import palette, parts
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.category import Category, Draft, mirror_pairs
from semcorr.datasets.shapes.supports import SUPPORTS, Stand
from semcorr.datasets.shapes.table_supports import TABLE_SUPPORTS
from semcorr.datasets.shapes.table_tops import TOPS, on_top
from semcorr.geometry.mesh import Material

LABELS = ("top", "leg", "drawer")
KEYPOINTS = (
    "top_front_left", "top_front_right", "top_back_left", "top_back_right", "top_center",
    "leg_front_left_tip", "leg_front_right_tip", "leg_back_left_tip", "leg_back_right_tip",
    "base_center", "drawer_front_left", "drawer_front_right",
)  # fmt: skip
CARRIERS = SUPPORTS | TABLE_SUPPORTS
CENTRAL = ("pedestal", "claw", "cross", "drum", "plinth")
CORNER = ("straight", "stretchers", "splayed", "hairpin")


class Size(NamedTuple):
    """Ranges of a size class, metres; `depth` as a share of the width."""

    width: tuple[float, float]
    depth: tuple[float, float]
    height: tuple[float, float]


class Kind(NamedTuple):
    """A familiar kind of table and the constructions it may have; repeated names weigh more."""

    size: str
    tops: str
    legs: str
    extras: str


SIZES = {
    "dining": Size((1.2, 2.2), (0.42, 0.7), (0.70, 0.78)),
    "square": Size((0.7, 1.4), (0.94, 1.0), (0.68, 0.78)),
    "coffee": Size((0.7, 1.4), (0.4, 1.0), (0.28, 0.48)),
    "side": Size((0.32, 0.6), (0.8, 1.0), (0.42, 0.7)),
    "bar": Size((0.5, 0.85), (0.9, 1.0), (0.92, 1.15)),
    "desk": Size((1.1, 1.8), (0.4, 0.55), (0.70, 0.8)),
    "console": Size((0.8, 1.5), (0.24, 0.36), (0.70, 0.9)),
    "long": Size((2.4, 4.0), (0.26, 0.4), (0.70, 0.78)),
    "stand": Size((0.25, 0.4), (0.9, 1.0), (0.6, 1.0)),
}

KINDS = (
    Kind("dining", "rectangle rounded", "straight stretchers", "apron none"),
    Kind("square", "rectangle octagon", "straight splayed", "apron none"),
    Kind("dining", "rectangle boat", "trestle", "none"),
    Kind("square", "round", "pedestal drum", "none"),
    Kind("square", "round octagon", "claw", "none"),
    Kind("dining", "oval boat", "twin", "none"),
    Kind("coffee", "rectangle rounded oval", "hairpin splayed sled", "none shelf"),
    Kind("coffee", "round", "tripod splayed cross", "none"),
    Kind("coffee", "rectangle", "plinth block slabs", "none"),
    Kind("side", "round rounded", "straight stretchers", "none shelf"),
    Kind("side", "rectangle", "straight splayed", "drawer"),
    Kind("bar", "round rectangle", "pedestal cross", "none"),
    Kind("desk", "rectangle", "straight splayed hairpin", "drawer drawers"),
    Kind("desk", "rectangle rounded", "cabinets", "none drawer"),
    Kind("desk", "rectangle", "slabs sled xframe", "drawer none"),
    Kind("console", "rectangle half", "straight splayed", "drawers apron shelf"),
    Kind("long", "boat rectangle rounded", "twin trestle slabs", "none"),
    Kind("dining", "rectangle", "xframe sled", "none"),
    Kind("stand", "round octagon", "claw pedestal tripod", "none"),
    Kind("square", "round boat", "splayed hairpin cross", "none"),
)  # fmt: skip


class Plan(NamedTuple):
    """Measures of a table, metres.

    Attributes:
        top, legs, extra: names of the constructions.
        width, depth, height: of the whole.
        slab: thickness of the top.
        bar: thickness of legs.
        rail: height of apron or drawers.
        inset: distance of the legs from the edge.
        square: members are square, not round.
        splay: see `supports.Stand`.
    """

    top: str
    legs: str
    extra: str
    width: float
    depth: float
    height: float
    slab: float
    bar: float
    rail: float
    inset: float
    square: bool
    splay: float

    @property
    def under(self) -> float:
        """Height of the top's underside."""
        return self.height - self.slab

    @property
    def step(self) -> float:
        """Longest edge that parts should have."""
        return 0.05 * max(self.width, self.depth, self.height)

    def stand(self) -> Stand:
        """The room below the top."""
        half = (self.width / 2, self.depth / 2)
        x, y = on_top(self.top, *half, 1.0, -1.0)
        x, y = x - self.inset, min(y + self.inset, -0.6 * self.bar)
        rear = 0.08 * self.depth if self.top == "half" else -y
        return Stand(
            front=(x, y), rear=(x, rear), under=lambda x, y: self.under, embed=0.5 * self.slab,
            half=half, bar=self.bar, splay=self.splay, square=self.square,
            round=self.top not in ("rectangle", "rounded"),
        )  # fmt: skip


def build(stratum: int, rng: np.random.Generator) -> Draft:
    """Draw a table of kind number `stratum`."""
    plan = draw_plan(KINDS[stratum], rng)
    asm = Assembly(LABELS, draw_materials(rng), plan.step)
    asm.add(TOPS[plan.top](plan.width, plan.depth, plan.slab, asm.step, rng).moved(
        (0, 0, plan.height - plan.slab / 2)), "top", "top")  # fmt: skip
    if plan.legs == "cabinets":
        cabinets(asm, plan, rng)
    else:
        CARRIERS[plan.legs](asm, plan.stand(), rng)
    if plan.extra != "none":
        EXTRAS[plan.extra](asm, plan, rng)
    mark(asm, plan)
    return Draft(asm, f"{plan.top}/{plan.legs}/{plan.extra}", orbits(plan, asm))


def draw_plan(kind: Kind, rng: np.random.Generator) -> Plan:
    """Draw constructions and measures of a table."""
    top, legs, extra = (str(rng.choice(names.split())) for names in kind[1:])
    size = SIZES[kind.size]
    width, share, height = (rng.uniform(*pair) for pair in size)
    if top in ("round", "octagon"):
        share = 1.0
    if top == "half":
        share = max(share, 0.36)
    bar = rng.uniform(0.028, 0.085) * (0.7 if kind.size in ("side", "stand", "coffee") else 1.0)
    if legs == "hairpin":
        bar = max(bar, 0.05)
    inset = bar * rng.uniform(0.52, 1.5)
    if legs in ("slabs", "block", "sled", "xframe"):
        inset = max(inset, 0.05)
    if extra in ("apron", "drawer", "drawers", "shelf"):
        inset = max(inset, 0.6 * bar)
    return Plan(
        top, legs, extra, width, share * width, height,
        slab=rng.uniform(0.015, 0.07) * (1.4 if legs in ("plinth", "slabs", "drum") else 1.0),
        bar=bar, rail=rng.uniform(0.06, 0.16) if kind.size != "coffee" else 0.07, inset=inset,
        square=bool(rng.random() < 0.6), splay=rng.uniform(0.05, 0.22),
    )  # fmt: skip


def draw_materials(rng: np.random.Generator) -> dict[str, Material]:
    """Draw materials for the roles top, leg, drawer, knob."""
    top = palette.wood(rng) if rng.random() < 0.75 else palette.plastic(rng)
    leg = top if rng.random() < 0.45 else (palette.metal, palette.wood)[rng.integers(2)](rng)
    drawer = (top, leg, palette.plastic(rng))[rng.integers(3)]
    colors = {"top": top, "leg": leg, "drawer": drawer, "knob": palette.metal(rng)}
    materials = {role: palette.material(color) for role, color in colors.items()}
    if rng.random() < 0.3:
        materials["top"] = palette.material(top, palette.grain(top, rng))
    return materials


def apron(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Rails between the legs, under the top."""
    (x, y), (_, rear) = plan.stand().front, plan.stand().rear
    z, thick = plan.under - plan.rail / 2 + 0.3 * plan.slab, 0.35 * plan.bar
    for depth in (y, rear):
        rail = parts.beam((-x, depth, z), (x, depth, z), thick, plan.rail, asm.step)
        asm.add(rail, "leg", "leg")
    asm.add_pair(parts.beam((x, y, z), (x, rear, z), thick, plan.rail, asm.step), "leg", "leg")


def shelf(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """A board between the legs, part of what carries the table."""
    stand, share = plan.stand(), rng.uniform(0.2, 0.45)
    spread = plan.splay * plan.under * (1 - share) if plan.legs in ("splayed", "hairpin") else 0.0
    x, y = stand.front[0] + 0.6 * spread, -stand.front[1] + 0.6 * spread
    thick = min(0.025, 0.8 * plan.bar)
    board = parts.box((2 * x, 2 * y, thick), 0.2 * thick, asm.step)
    asm.add(board.moved((0, 0, share * plan.under)), "leg", "leg")


def drawers(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Two or three drawers side by side."""
    _drawers(asm, plan, int(rng.integers(2, 4)))


def drawer(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """One drawer under the front edge."""
    _drawers(asm, plan, 1)


EXTRAS = {f.__name__: f for f in (apron, shelf, drawer, drawers)}


def _drawers(asm: Assembly, plan: Plan, count: int) -> None:
    stand = plan.stand()
    half = stand.front[0] - (0.5 * plan.bar if plan.legs in CORNER else 0.03)
    if plan.legs == "cabinets":
        half = plan.width / 2 - 0.06 - 1.02 * _cabinet_width(plan)
    front, rear = stand.front[1] - 0.3 * plan.bar, min(-stand.front[1], 0.35 * plan.depth)
    if plan.top == "half":
        front, rear = -0.3 * plan.depth, 0.0
    wide = 2 * half / count
    size = (0.97 * wide, rear - front, plan.rail)
    z = plan.under - plan.rail / 2 + min(0.3 * plan.slab, 0.008)
    for i in range(count):
        _drawer(asm, ((i - (count - 1) / 2) * wide, (front + rear) / 2, z), size)


def _drawer(asm: Assembly, centre, size) -> None:
    """One drawer with a knob; pieces off the middle are added for both sides by the caller."""
    body = parts.box(size, 0.06 * size[2], asm.step).moved(centre)
    asm.add(body, "drawer", "drawer")
    knob = parts.ball((0.016, 0.02, 0.016), 8, 3)
    asm.add(knob.moved((centre[0], centre[1] - size[1] / 2 - 0.012, centre[2])), "drawer", "knob")


def _cabinet_width(plan: Plan) -> float:
    return 0.25 * plan.width


def cabinets(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Two stacks of drawers on short feet instead of legs."""
    count, feet = int(rng.integers(2, 5)), rng.uniform(0.03, 0.12)
    wide, deep = _cabinet_width(plan), 0.9 * plan.depth
    x = plan.width / 2 - 0.03 - wide / 2
    high = (plan.under - feet) / count
    for side in (-1.0, 1.0):
        for i in range(count):
            z = feet + (i + 0.5) * high + 0.004
            _drawer(asm, (side * x, 0.0, z), (wide, deep, 0.99 * high + 0.01 * (i == count - 1)))
    names = ("leg_front_{}_tip", "leg_back_{}_tip")
    for name, y in zip(names, (-0.42 * deep, 0.42 * deep), strict=True):
        for dx in (-0.4, 0.4):
            foot = parts.box((0.05, 0.05, feet + 0.03), 0.008, asm.step)
            asm.add_pair(foot.moved((x + dx * wide, y, (feet + 0.03) / 2)), "leg", "leg")
        asm.mark_pair(name, (x + 0.4 * wide, y, 0.0), "leg")


def mark(asm: Assembly, plan: Plan) -> None:
    """Place the keypoints that the legs have not placed themselves."""
    asm.mark_corner("top_front_{}", (1.0, -1.0, 0.1), "top")
    asm.mark_corner("top_back_{}", (1.0, 1.0, 0.1), "top")
    asm.mark("top_center", (0.0, 0.0, plan.height + 0.3), "top")
    if plan.legs in CENTRAL:
        asm.mark("base_center", (0.0, 0.0, 0.0), "leg")
    asm.mark_corner("drawer_front_{}", (1.0, -1.0, 0.2), "drawer")


def orbits(plan: Plan, asm: Assembly) -> tuple[tuple[str, ...], ...]:
    """Sets of four on tables that look alike from in front and behind, else mirror pairs."""
    pairs = [pair for pair in mirror_pairs(KEYPOINTS) if pair[0] in asm.keypoints]
    one_sided = ("tripod", "sled", "cabinets")
    if "drawer" in plan.extra or plan.top == "half" or plan.legs in one_sided:
        return tuple(pairs)
    found = {}
    for pair in pairs:
        stem = pair[0].replace("front", "").replace("back", "")
        found[stem] = (*found.get(stem, ()), *pair)
    return tuple(found.values())


CATEGORY = Category(LABELS, KEYPOINTS, len(KINDS), build)
