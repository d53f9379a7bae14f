"""Chairs, stools, benches: which constructions go together, how large they are, what they wear."""

from typing import NamedTuple

import numpy as np

from semcorr.datasets.shapes import palette
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.category import Category, Draft, mirror_pairs
from semcorr.datasets.shapes.chair_arms import ARMS, arm_end
from semcorr.datasets.shapes.chair_backs import BACKS, arm_height
from semcorr.datasets.shapes.chair_plan import POSTED, UPRIGHT_LEGS, Plan
from semcorr.datasets.shapes.chair_seats import SEATS, apron
from semcorr.datasets.shapes.supports import SUPPORTS
from semcorr.geometry.mesh import Material

LABELS = ("back", "seat", "leg", "arm")
KEYPOINTS = (
    "seat_front_left", "seat_front_right", "seat_back_left", "seat_back_right", "seat_center",
    "back_top_left", "back_top_right", "back_bottom_left", "back_bottom_right", "back_top_center",
    "leg_front_left_tip", "leg_front_right_tip", "leg_back_left_tip", "leg_back_right_tip",
    "base_center", "arm_front_left", "arm_front_right", "arm_back_left", "arm_back_right",
)  # fmt: skip


class Size(NamedTuple):
    """Ranges of a size class: metres, the tilt in degrees."""

    width: tuple[float, float]
    depth: tuple[float, float]
    height: tuple[float, float]
    back: tuple[float, float]
    tilt: tuple[float, float]
    slab: tuple[float, float]


class Kind(NamedTuple):
    """A familiar kind of chair and the constructions it may have; repeated names weigh more."""

    size: str
    legs: str
    backs: str
    arms: str
    seats: str


SIZES = {
    "dining": Size((0.37, 0.54), (0.37, 0.5), (0.40, 0.49), (0.3, 0.62), (2, 15), (0.018, 0.07)),
    "bar": Size((0.31, 0.44), (0.3, 0.42), (0.60, 0.82), (0.16, 0.42), (0, 10), (0.02, 0.07)),
    "lounge": Size((0.5, 0.85), (0.5, 0.72), (0.32, 0.44), (0.38, 0.75), (6, 24), (0.10, 0.26)),
    "easy": Size((0.5, 0.68), (0.5, 0.66), (0.30, 0.4), (0.45, 0.75), (14, 30), (0.05, 0.13)),
    "bench": Size((0.9, 1.7), (0.34, 0.55), (0.38, 0.48), (0.3, 0.5), (3, 14), (0.025, 0.07)),
    "office": Size((0.42, 0.54), (0.4, 0.5), (0.40, 0.55), (0.32, 0.68), (3, 15), (0.03, 0.09)),
    "tub": Size((0.5, 0.7), (0.46, 0.62), (0.34, 0.46), (0.2, 0.36), (0, 8), (0.04, 0.2)),
    "stool": Size((0.27, 0.46), (0.27, 0.42), (0.26, 0.55), (0.1, 0.2), (0, 5), (0.02, 0.08)),
    "throne": Size((0.5, 0.68), (0.44, 0.6), (0.40, 0.5), (0.65, 1.15), (1, 8), (0.04, 0.12)),
}

KINDS = (
    Kind("dining", "straight splayed sled", "panel", "none", "box cushion"),
    Kind("dining", "stretchers straight", "ladder", "none none post", "box cushion slats"),
    Kind("dining", "straight stretchers", "vslats", "none none post", "box cushion"),
    Kind("dining", "splayed stretchers", "spindles", "none none post", "box round bucket"),
    Kind("dining", "splayed stretchers", "hoop", "none loop", "round box"),
    Kind("dining", "straight splayed", "oval", "none post loop", "cushion round"),
    Kind("office", "star", "curved frame panel", "post loop", "cushion bucket"),
    Kind("office", "star disc", "low curved shell", "none", "round cushion bucket"),
    Kind("dining", "disc star", "shell curved", "none loop", "bucket round"),
    Kind("bar", "stretchers stretchers hairpin straight", "none", "none", "box round cushion"),
    Kind("bar", "disc star", "none none low", "none", "round cushion"),
    Kind("bar", "stretchers sled splayed", "low ladder panel curved", "none", "box cushion round"),
    Kind("stool", "tripod", "none", "none", "round"),
    Kind("stool", "splayed straight xframe hairpin", "none", "none", "round box cushion slats"),
    Kind("dining", "sled", "curved vslats frame", "none post loop", "box bucket cushion"),
    Kind("dining", "cantilever", "panel curved frame ladder", "none loop", "box cushion bucket"),
    Kind("dining", "xframe", "ladder panel vslats", "none none post", "slats box"),
    Kind("lounge", "splayed block straight", "wing", "panel", "cushion"),
    Kind("lounge", "block plinth splayed sled", "panel frame", "panel", "cushion"),
    Kind("bench", "slabs straight stretchers", "vslats ladder spindles cross panel",
         "none post panel", "box slats"),
    Kind("bench", "slabs sled straight hairpin", "none", "none", "box slats cushion"),
    Kind("tub", "splayed disc block plinth hairpin", "low", "none", "round cushion"),
    Kind("dining", "splayed sled hairpin", "shell", "none none loop", "bucket"),
    Kind("dining", "splayed straight", "cross", "none loop", "round box"),
    Kind("throne", "straight stretchers slabs", "panel splat spindles", "panel post",
         "box cushion"),
    Kind("dining", "straight splayed", "splat", "none post", "cushion box"),
    Kind("easy", "sled splayed stretchers xframe", "frame ladder vslats", "post loop",
         "cushion slats"),
    Kind("lounge", "block plinth", "panel wing", "none panel", "cushion"),
)  # fmt: skip


def build(stratum: int, rng: np.random.Generator) -> Draft:
    """Draw a chair of kind number `stratum`."""
    plan = draw_plan(KINDS[stratum], rng)
    materials = draw_materials(plan, rng)
    asm = Assembly(LABELS, materials, plan.step)
    SEATS[plan.seat](asm, plan, rng)
    apron(asm, plan)
    SUPPORTS[plan.legs](asm, plan.stand(), rng)
    if plan.back != "none":
        BACKS[plan.back](asm, plan, rng)
    if plan.arms != "none":
        ARMS[plan.arms](asm, plan, rng)
    mark(asm, plan)
    return Draft(asm, f"{plan.legs}/{plan.back}/{plan.arms}/{plan.seat}", orbits(plan, asm))


def draw_plan(kind: Kind, rng: np.random.Generator) -> Plan:
    """Draw constructions and measures of a chair."""
    legs, back, arms, seat = (str(rng.choice(names.split())) for names in kind[1:])
    size = SIZES[kind.size]
    width, depth, height, tall, tilt, slab = (rng.uniform(*pair) for pair in size)
    if seat == "round":
        depth = width * rng.uniform(0.92, 1.08)
        arms = "none" if arms == "panel" else arms
    if seat == "bucket":
        slab = rng.uniform(0.014, 0.035)
    if seat == "slats":
        slab = rng.uniform(0.045, 0.07)
    if seat == "cushion":
        slab = max(slab, 0.05)
    if legs in ("block", "plinth"):
        slab = height - rng.uniform(0.05, 0.13)  # a low body close to the floor
    board = {"cushion": rng.uniform(0.3, 0.55), "slats": 0.6}.get(seat, 1.0) * slab
    if seat == "cushion":
        board = max(board, slab - rng.uniform(0.08, 0.15))  # cushions are at most so thick
    if back == "low":
        tall = min(tall, rng.uniform(0.16, 0.32))
    thick_back = kind.size in ("lounge", "tub") or (kind.size == "throne" and rng.random() < 0.4)
    back_thick = rng.uniform(0.07, 0.15) if thick_back else rng.uniform(0.014, 0.045)
    if back in ("curved", "shell"):
        back_thick = rng.uniform(0.012, 0.03)
    bar = rng.uniform(0.024, 0.05) * (1.15 if kind.size in ("throne", "bench", "bar") else 1.0)
    symmetric = back == "none"
    rear = 1.0 if symmetric or width > 0.9 else rng.uniform(0.8, 1.03)
    inset = {"block": 0.05, "slabs": 0.07 * width}.get(legs, bar) * rng.uniform(0.55, 1.3)
    measures = dict(
        width=width, depth=depth, rear=rear, height=height, slab=slab, board=board,
        rake=0.0 if symmetric else rng.choice((0.0, rng.uniform(0, 0.09))),
        dish=_dish(seat, slab, rng), back_height=tall, tilt=np.radians(tilt), bar=bar,
        back_thick=back_thick, splay=rng.uniform(0.08, 0.28) * (0.6 if kind.size == "bar" else 1.0),
        leg_rake=0.0 if symmetric else rng.choice((0.0, rng.uniform(0, 0.16))),
        square=bool(rng.random() < 0.55),
        apron=rng.uniform(0.035, 0.08) if rng.random() < 0.5 else 0.0,
        arm_height=min(rng.uniform(0.15, 0.27), 0.7 * tall), inset=inset,
        arm_thick=rng.uniform(0.05, 0.17) if kind.size == "lounge" else rng.uniform(0.03, 0.07),
    )  # fmt: skip
    measures |= _back_curve(back, arms, seat, kind.size, measures, rng)
    plan = Plan(legs=legs, back=back, arms=arms, seat=seat, **measures)
    wanted = arm_height(plan)
    if wanted is not None:
        measures["arm_height"] = wanted * np.cos(plan.tilt)
        plan = Plan(legs=legs, back=back, arms=arms, seat=seat, **measures)
    return plan


def _dish(seat: str, slab: float, rng: np.random.Generator) -> float:
    """Depth of the hollow of a seat."""
    if seat == "bucket":
        return rng.uniform(0.01, 0.035)
    return rng.choice((0.0, 0.0, 0.35)) * slab if seat == "box" else 0.0


def _back_curve(back, arms, seat, size, m: dict, rng: np.random.Generator) -> dict:
    """Width, place and bow of the back, such that its foot stands on the seat."""
    thick = m["bar"] if back in POSTED or back in ("hoop", "oval") else m["back_thick"]
    wide = m["width"] / 2 * m["rear"]
    wrap, curve, heel = 0.3, rng.choice((0.0, rng.uniform(0.005, 0.04))), 0.0
    base = m["depth"] / 2 - thick / 2 - 0.004
    half = wide - thick / 2 - 0.003
    if back in ("panel", "curved", "shell", "low", "oval", "hoop", "splat"):
        half = wide * rng.uniform(0.78, 0.97) - (0.5 * thick if back == "hoop" else 0.0)
    if back in ("curved", "shell", "low"):
        wrap, curve = rng.uniform(0.5, 1.0), rng.uniform(0.04, 0.1)
    if back == "shell":
        heel = rng.uniform(0.02, 0.07)
    if size == "tub":
        wrap, curve = rng.uniform(1.2, 1.5), m["depth"] * rng.uniform(0.45, 0.85)
        half = wide - m["back_thick"] / 2 - 0.006
    if arms == "panel":
        half = wide + 0.3 * m["arm_thick"] if size == "lounge" else wide + 0.004
    if seat == "round":
        # follow the rim: an arc of the ellipse that lies half a thickness inside the seat
        across = m["width"] / 2 - thick / 2 - 0.004
        half = across * (np.sin(wrap) if size == "tub" else min(0.84, half / across))
        wrap = np.arcsin(half / across)
        curve = base * (1 - np.cos(wrap))
    flare = rng.uniform(-0.06, 0.12) if back in ("spindles", "curved", "hoop", "shell") else 0.0
    return dict(
        half_back=half, base=base, wrap=wrap, curve=max(curve, 1e-4), flare=flare, heel=heel
    )


def draw_materials(plan: Plan, rng: np.random.Generator) -> dict[str, Material]:
    """Draw materials for the roles leg, frame, trim, seat, back, arm."""
    steel = ("star", "disc", "sled", "cantilever", "hairpin")
    hard = palette.metal if plan.legs in steel and rng.random() < 0.75 else palette.wood
    legs = hard(rng)
    frame = legs if plan.legs in UPRIGHT_LEGS or rng.random() < 0.6 else palette.wood(rng)
    soft = plan.seat == "cushion" or plan.back in ("wing", "low") or rng.random() < 0.25
    if plan.seat == "bucket" and rng.random() < 0.6:
        cover = palette.plastic(rng)
    else:
        cover = palette.fabric(rng) if soft else palette.wood(rng)
    if not soft and rng.random() < 0.45:
        cover = frame
    back = cover if rng.random() < 0.65 or plan.back in ("shell", "wing") else frame
    arm = cover if plan.arms == "panel" and rng.random() < 0.7 else frame
    trim = frame if rng.random() < 0.6 else cover
    colors = {"leg": legs, "frame": frame, "trim": trim, "seat": cover, "back": back, "arm": arm}
    materials = {role: palette.material(color) for role, color in colors.items()}
    if rng.random() < 0.2:
        pattern = (palette.weave, palette.stripes)[rng.integers(2)] if soft else palette.grain
        picture = pattern(cover, rng)
        for role, color in colors.items():
            if color == cover:
                materials[role] = palette.material(cover, picture)
    return materials


def mark(asm: Assembly, plan: Plan) -> None:
    """Place the keypoints that the parts have not placed themselves (tips of legs)."""
    top = plan.height
    asm.mark_corner("seat_front_{}", (1.0, -1.0, 0.1), "seat")
    asm.mark_corner("seat_back_{}", (1.0, 1.0, 0.1), "seat")
    asm.mark("seat_center", (0.0, 0.0, top + 0.3), "seat")
    if plan.legs in ("star", "disc", "plinth"):
        asm.mark("base_center", (0.0, 0.0, 0.0), "leg")
    if plan.back != "none":
        near = asm.vertices_of("seat")
        near = near[near[:, 1] > plan.base - plan.curve - 0.08]
        low = (near[:, 2].max() if len(near) else top) + 0.008
        side = plan.width / 2 * plan.rear - 0.1 * plan.arm_thick - 0.006
        side = side if plan.arms == "panel" else np.inf
        asm.mark_corner("back_top_{}", (1.0, 0.0, 1.2), "back")
        within = ((0.0, -np.inf, low), (side, np.inf, np.inf))
        asm.mark_corner("back_bottom_{}", (1.0, -0.6, -1.2), "back", within)
        crown = asm.vertices_of("back")
        crown = crown[np.abs(crown[:, 0]) < 0.15 * plan.half_back]
        if len(crown):
            asm.mark("back_top_center", (0.0, crown[:, 1].mean(), top + 2.0), "back")
    if plan.arms != "none":
        end = np.inf if plan.arms == "panel" else arm_end(plan)[1] - 0.01
        within = ((0.0, -np.inf, -np.inf), (np.inf, end, np.inf))
        asm.mark_corner("arm_front_{}", (0.02, -1.0, 0.9), "arm")
        asm.mark_corner("arm_back_{}", (0.3, 1.0, 0.6), "arm", within)


def orbits(plan: Plan, asm: Assembly) -> tuple[tuple[str, ...], ...]:
    """Mirror pairs; on stools that look alike from both sides, sets of four."""
    alike = plan.back == "none" and plan.legs not in ("tripod", "sled", "cantilever")
    pairs = [pair for pair in mirror_pairs(KEYPOINTS) if pair[0] in asm.keypoints]
    if not alike:
        return tuple(pairs)
    found = {}
    for pair in pairs:
        stem = pair[0].replace("front", "").replace("back", "")
        found[stem] = (*found.get(stem, ()), *pair)
    return tuple(found.values())


CATEGORY = Category(LABELS, KEYPOINTS, len(KINDS), build)
