"""What carries a seat or a table top: sets of legs, pedestals, runners, crossed frames, plinths.

Each support adds parts with the label "leg" and the role "leg" to an assembly, reaches from the
floor (z = 0) into the load above it, and marks the keypoints leg_{front,back}_{left,right}_tip
where it has such tips. Everything is built left and mirrored, except what lies in the middle.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from semcorr.datasets.shapes import curves, parts
from semcorr.datasets.shapes.assembly import Assembly

LABEL = ROLE = "leg"
ACROSS = (1.0, 0.0, 0.0)
UPRIGHT = (0.0, 0.0, 1.0)
_TIPS = ("leg_front_{}_tip", "leg_back_{}_tip")


@dataclass(frozen=True)
class Stand:
    """The room that a support has, in metres.

    Attributes:
        front, rear: (x, y) of the left attachment points, x > 0.
        under: height of the load's underside at (x, y).
        embed: how far members reach into the load.
        half: (x, y) half extents of the load.
        bar: thickness of a member.
        splay: outward run of a leg per metre of its height.
        rake: the same backwards, for rear legs of upright sets.
        square: members are square, not round.
        round: the load is an ellipse, not a rectangle.
    """

    front: tuple[float, float]
    rear: tuple[float, float]
    under: Callable[[float, float], float]
    embed: float
    half: tuple[float, float]
    bar: float
    splay: float = 0.0
    rake: float = 0.0
    square: bool = True
    round: bool = False

    def top(self, xy: tuple[float, float]) -> np.ndarray:
        """Upper end (3,) of a member that meets the load at (x, y)."""
        return np.array([*xy, float(self.under(*xy)) + self.embed])

    def section(self, thickness: float | None = None) -> np.ndarray:
        """Cross-section of a member."""
        size = thickness or self.bar
        return curves.rectangle(size, size) if self.square else curves.circle(8, size / 2)


def straight(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Four upright legs: plain, tapered, turned or curved like an S."""
    style = ("plain", "tapered", "turned", "cabriole")[rng.choice(4, p=(0.4, 0.3, 0.2, 0.1))]
    _legs(asm, stand, _ends(stand, 0.0), style)


def splayed(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Four tapered legs that spread towards the floor."""
    ends = _ends(stand, stand.splay)
    _legs(asm, stand, ends, "slim" if rng.random() < 0.8 else "plain")


def stretchers(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Four legs tied by bars near the floor: an H, a box, or a box of two heights."""
    ends = _ends(stand, stand.splay * rng.choice((0.0, 0.5)))
    _legs(asm, stand, ends, ("plain", "tapered", "turned")[rng.integers(3)])
    style, low, thin = rng.integers(3), rng.uniform(0.6, 0.85), stand.bar * rng.uniform(0.5, 0.75)
    at = [top + low * (foot - top) for top, foot in ends]
    _tie(asm, stand, at[0], at[1], thin, pair=True)
    if style == 0:
        middle = (at[0] + at[1]) / 2
        _tie(asm, stand, middle * (-1, 1, 1), middle, thin)
        return
    shift = 0.0 if style == 1 else -rng.uniform(0.1, 0.25)
    for top, foot in ends:
        point = top + (low + shift) * (foot - top)
        _tie(asm, stand, point * (-1, 1, 1), point, thin)


def hairpin(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Four legs of two thin rods each that meet at the floor."""
    section = curves.circle(6, 0.2 * stand.bar)
    gap = rng.uniform(0.2, 0.4) * min(stand.half)
    for (top, foot), side, name in zip(_ends(stand, stand.splay), (1, -1), _TIPS, strict=True):
        for inward in (0.0, gap):
            start = stand.top((top[0], top[1] + side * inward))
            path = curves.line(start, foot, asm.step)
            asm.add_pair(parts.tube(path, section, ACROSS), LABEL, ROLE)
        asm.mark_pair(name, foot, LABEL)


def star(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Column on four or five arms, on castors or glides."""
    count, castors = (5 if rng.random() < 0.7 else 4), rng.random() < 0.6
    reach = max(0.2, rng.uniform(0.85, 1.1) * min(max(stand.half), 0.3))
    wheel = rng.uniform(0.02, 0.03) if castors else 0.008
    hub = np.array([0.0, 0.0, wheel * 2 + rng.uniform(0.02, 0.06)])
    _column(asm, stand, hub[2] - 0.02, rng.uniform(0.018, 0.03), rng)
    turn = rng.choice((-1, 1))
    angles = (np.pi / 4, -np.pi / 4) if count == 4 else (np.pi / 2, 0.1 * np.pi, -0.3 * np.pi)
    section = curves.rectangle(0.03, rng.uniform(0.03, 0.05), 0.4)
    for angle in angles:
        way = np.array([np.cos(angle), turn * np.sin(angle), 0.0])
        way[0] = 0.0 if abs(way[0]) < 1e-9 else way[0]
        tip = reach * way + (0, 0, wheel + (0.015 if castors else 0.008))
        bend = 0.6 * reach * way + (0, 0, hub[2] + 0.01)
        path = curves.bezier([hub, bend, tip], asm.step)
        arm = parts.tube(path, section, UPRIGHT, np.linspace(1.0, 0.55, len(path)))
        foot = parts.ball((wheel * 0.9, wheel * 0.9, wheel), 8, 3).moved(tip * (1, 1, 0))
        foot = foot.moved((0, 0, wheel))
        place = asm.add if way[0] == 0.0 else asm.add_pair
        place(arm, LABEL, ROLE)
        place(foot, LABEL, ROLE)
    if count == 4:
        for name, side in zip(_TIPS, (-1, 1), strict=True):
            asm.mark_pair(name, (reach * 0.7, side * reach * 0.7, 0.0), LABEL)


def disc(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Column on a round foot: a flat plate or a trumpet."""
    reach = max(0.18, rng.uniform(0.75, 1.0) * min(max(stand.half), 0.28))
    thin = rng.uniform(0.018, 0.035)
    sides = 4 * max(4, int(np.ceil(2 * np.pi * reach / (4 * asm.step))))
    share = np.linspace(0.0, 1.0, max(3, int(np.ceil(reach / asm.step))) + 1)
    below = np.stack([share * reach, np.zeros(len(share))], axis=1)
    if rng.random() < 0.5:
        rise = 0.02 + 0.012 * (1 - share[1:-1])
        above = np.stack([share[1:-1] * reach, rise], axis=1)[::-1]
        base = np.concatenate([below, [[reach, 0.012]], above, [[0.0, 0.034]]])
        asm.add(parts.lathe(base, sides), LABEL, ROLE)
        _column(asm, stand, 0.02, thin, rng)
        return
    # the trumpet swings from the rim up into the column and widens again under the load
    top = stand.top((0.0, 0.0))[2]
    z = np.linspace(0.015, top - 0.01, 200)
    flow = thin + (reach * 0.97 - thin) * np.exp(-z / (0.12 * top))
    flow += (0.25 * min(stand.half)) * np.clip((z / top - 0.75) / 0.25, 0, 1) ** 2
    wall = curves.even(np.stack([flow, z], axis=1), asm.step)
    base = np.concatenate([below, [[reach, 0.008]], wall, [[0.0, top]]])
    asm.add(parts.lathe(base, sides), LABEL, ROLE)


def sled(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Two runners: each one bent tube or square bar from the front down and back up."""
    size = stand.bar * rng.uniform(0.6, 0.9)
    section, r = stand.section(size), size / 2
    front, rear = stand.top(stand.front), stand.top(stand.rear)
    lean = rng.uniform(-0.02, 0.06)
    corners = [front, (front[0], front[1] - lean, r), (rear[0], rear[1] + 0.03, r), rear]
    round_ = 0.02 if stand.square else rng.uniform(0.04, 0.09)
    path = curves.filleted(corners, round_, asm.step)
    asm.add_pair(parts.tube(path, section, ACROSS), LABEL, ROLE)
    for corner in (corners[1], corners[2])[rng.integers(2) :]:
        height = r if rng.random() < 0.5 else 0.5 * front[2]
        share = height / front[2]
        end = np.asarray(front if corner is corners[1] else rear)
        at = (1 - share) * np.asarray(corner) + share * end
        at[2] = height
        _tie(asm, stand, at * (-1, 1, 1), at, size * 0.9)
    for name, corner in zip(_TIPS, corners[1:3], strict=True):
        asm.mark_pair(name, (corner[0], corner[1], 0.0), LABEL)


def cantilever(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """One bent tube: under the seat, down in front, back along the floor; nothing behind."""
    size = max(0.02, stand.bar * rng.uniform(0.6, 0.85))
    section, r = curves.circle(8, size / 2), size / 2
    (xf, yf), (xr, yr) = stand.front, stand.rear
    rail = [(x, y, float(stand.under(x, y)) - 0.2 * size) for x, y in ((xr, yr), (xf, yf))]
    x, back = max(xf, xr), yr + rng.uniform(-0.05, 0.05)
    floor = [(x, yf - rng.uniform(0.0, 0.04), r), (x, back, r), (0.0, back, r)]
    path = curves.filleted([*rail, *floor], rng.uniform(0.05, 0.09), asm.step)
    asm.add_pair(parts.tube(path, section), LABEL, ROLE)
    _tie(asm, stand, np.array(rail[0]) * (-1, 1, 1), rail[0], size * 0.9)
    _tie(asm, stand, np.array(rail[1]) * (-1, 1, 1), rail[1], size * 0.9)
    for name, point in zip(_TIPS, floor[:2], strict=True):
        asm.mark_pair(name, (*point[:2], 0.0), LABEL)


def xframe(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Crossed legs: at both sides (folding) or in front and behind (curule)."""
    size = stand.bar * rng.uniform(0.75, 1.0)
    section = curves.rectangle(size, size * 0.75) if stand.square else curves.circle(8, size / 2)
    front, rear = stand.top(stand.front), stand.top(stand.rear)
    if rng.random() < 0.6:
        feet = [(front[0], front[1], 0.0), (rear[0], rear[1], 0.0)]
        for top, foot in ((front, feet[1]), (rear, feet[0])):
            path = curves.line(top, foot, asm.step)
            asm.add_pair(parts.tube(path, section, ACROSS), LABEL, ROLE)
        middle = (front + feet[1]) / 2
        ties = [middle, 0.25 * front + 0.75 * np.array(feet[1])]
    else:
        feet = [(top[0] * rng.uniform(0.85, 1.05), top[1], 0.0) for top in (front, rear)]
        for top, foot in zip((front, rear), feet, strict=True):
            path = curves.line(top * (-1, 1, 1), foot, asm.step)
            asm.add_pair(parts.tube(path, section, (0.0, 1.0, 0.0)), LABEL, ROLE)
        ties = []
        middle = [
            (top * (-1, 1, 1) + foot) / 2 for top, foot in zip((front, rear), feet, strict=True)
        ]
        across = parts.tube(
            curves.line(*(m * (0, 1, 1) for m in middle), asm.step), section, ACROSS
        )
        asm.add(across, LABEL, ROLE)
    for at in ties:
        _tie(asm, stand, at * (-1, 1, 1), at, size * 0.7)
    for name, foot in zip(_TIPS, feet, strict=True):
        asm.mark_pair(name, foot, LABEL)


def tripod(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Three spread legs, two in front; sometimes a ring ties them."""
    reach = 0.62 * min(stand.half)
    section, spread = stand.section(), 1.0 + 1.2 * max(stand.splay, 0.12)
    ends = []
    for angle, place in ((-np.pi / 6, asm.add_pair), (np.pi / 2, asm.add)):
        way = np.array([np.cos(angle), np.sin(angle)])
        way[0] = 0.0 if abs(way[0]) < 1e-9 else way[0]
        top = stand.top(tuple(reach * way))
        foot = np.array([*(top[:2] * spread + 0.04 * way), 0.0])
        path = curves.line(top, foot, asm.step)
        place(parts.tube(path, section, ACROSS, np.linspace(1.0, 0.7, len(path))), LABEL, ROLE)
        ends.append((top, foot))
    asm.mark_pair(_TIPS[0], ends[0][1], LABEL)
    share = rng.uniform(0.45, 0.7)
    at = [top + share * (foot - top) for top, foot in ends]
    if rng.random() < 0.5:
        angle = np.arange(24) * (2 * np.pi / 24)
        radius = np.hypot(*at[0][:2])
        circle = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        path = np.column_stack([circle, np.full(24, at[0][2])])
        asm.add(parts.ring(path, curves.circle(6, 0.22 * stand.bar), UPRIGHT), LABEL, ROLE)


def block(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Four short feet under a low body: blocks or buns."""
    size = max(stand.bar, 0.045) * rng.uniform(1.0, 1.4)
    for (top, foot), name in zip(_ends(stand, 0.0), _TIPS, strict=True):
        height = top[2]
        if stand.square:
            solid = parts.box((size, size, height), 0.15 * size, asm.step)
        else:
            height += 0.03  # a ball meets the load only where it has some width
            solid = parts.ball((size * 0.7, size * 0.7, height / 2), 12, 5)
        asm.add_pair(solid.moved((top[0], top[1], height / 2)), LABEL, ROLE)
        asm.mark_pair(name, foot, LABEL)


def plinth(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """One closed base, set back from the edge of the load."""
    share = rng.uniform(0.75, 0.95)
    height = stand.top((0.0, 0.0))[2]
    x, y = share * stand.half[0], share * stand.half[1]
    if stand.round:
        base = parts.disc(x, height, 0.01, asm.step).scaled((1, y / x, 1))
        x, y = 0.7 * x, 0.7 * y
    else:
        base = parts.box((2 * x, 2 * y, height), 0.01, asm.step)
    asm.add(base.moved((0, 0, height / 2)), LABEL, ROLE)
    for name, side in zip(_TIPS, (-1, 1), strict=True):
        asm.mark_pair(name, (x, side * y, 0.0), LABEL)


def slabs(asm: Assembly, stand: Stand, rng: np.random.Generator) -> None:
    """Two upright boards at the sides, tied by a rail."""
    thick, share = rng.uniform(0.025, 0.06), rng.uniform(0.75, 0.98)
    x = min(stand.front[0], stand.rear[0])
    y = share * stand.half[1]
    top = min(stand.top((x, 0.0))[2], stand.top((x, y))[2], stand.top((x, -y))[2])
    solid = parts.box((thick, 2 * y, top), 0.006, asm.step).moved((x, 0, top / 2))
    asm.add_pair(solid, LABEL, ROLE)
    height = rng.uniform(0.3, 0.75) * top
    rail = parts.beam((-x, 0, height), (x, 0, height), 0.025, rng.uniform(0.04, 0.09), asm.step)
    asm.add(rail, LABEL, ROLE)
    for name, side in zip(_TIPS, (-1, 1), strict=True):
        asm.mark_pair(name, (x + thick / 2, side * y, 0.0), LABEL)


SUPPORTS = {
    f.__name__: f
    for f in (straight, splayed, stretchers, hairpin, star, disc, sled, cantilever)
    + (xframe, tripod, block, plinth, slabs)
}


def _ends(stand: Stand, splay: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """(top, foot) of the left front and the left rear leg."""
    ends = []
    for xy, side in ((stand.front, -1), (stand.rear, 1)):
        top = stand.top(xy)
        run = splay * top[2]
        rake = stand.rake * top[2] if side == 1 else 0.0
        ends.append((top, np.array([top[0] + run, top[1] + side * run + rake, 0.0])))
    return ends


def _legs(asm: Assembly, stand: Stand, ends, style: str) -> None:
    """Four legs of one style between given ends."""
    for (top, foot), name in zip(ends, _TIPS, strict=True):
        section = curves.circle(8, stand.bar / 2) if style == "slim" else stand.section()
        path = curves.line(top, foot, asm.step)
        share = np.linspace(0.0, 1.0, len(path))
        scale = 1 - share * {"tapered": 0.45, "slim": 0.5}.get(style, 0.0)
        if style == "turned":
            section, path = curves.circle(8, stand.bar / 2), curves.line(top, foot, 0.5 * asm.step)
            share = np.linspace(0.0, 1.0, len(path))
            scale = (0.85 + 0.25 * np.cos(2 * np.pi * 3 * share)) * (1 - 0.3 * share)
        if style == "cabriole":
            out = np.array([1.0, -1.0 if "front" in name else 1.0, 0.0]) * 0.12 * top[2]
            knee, ankle = top + 0.3 * (foot - top) + out, top + 0.8 * (foot - top) - 0.7 * out
            path = curves.bezier([top, knee, ankle, foot], asm.step)
            scale = np.linspace(1.15, 0.6, len(path))
        asm.add_pair(parts.tube(path, section, ACROSS, scale), LABEL, ROLE)
        asm.mark_pair(name, foot, LABEL)


def _tie(asm: Assembly, stand: Stand, start, end, size: float, pair: bool = False) -> None:
    """Thin bar between two points, neither of which is above the other."""
    path = curves.line(start, end, asm.step)
    section = curves.rectangle(size, size) if stand.square else curves.circle(6, size / 2)
    (asm.add_pair if pair else asm.add)(parts.tube(path, section, UPRIGHT), LABEL, ROLE)


def _column(asm: Assembly, stand: Stand, low: float, radius: float, rng) -> None:
    """Column in the middle with a plate under the load, on tall ones a foot ring with spokes."""
    top = stand.top((0.0, 0.0))[2]
    under = float(stand.under(0.0, 0.0))
    neck = low + rng.uniform(0.35, 0.6) * (top - low)
    heights = curves.line((0, 0, low), (0, 0, top), asm.step)[:, 2]
    wall = np.stack([np.where(heights < neck, radius, 0.7 * radius), heights], axis=1)
    profile = np.concatenate([[[0.0, low]], wall, [[0.0, top]]])
    asm.add(parts.lathe(profile, 12), LABEL, ROLE)
    plate = parts.disc(0.45 * min(stand.half), 0.025, 0.006, asm.step)
    asm.add(plate.moved((0, 0, under - 0.008)), LABEL, ROLE)
    if top > 0.58:
        height, reach = rng.uniform(0.3, 0.42) * top, rng.uniform(0.7, 0.95) * min(stand.half)
        angle = np.arange(24) * (2 * np.pi / 24)
        path = np.stack([reach * np.cos(angle), reach * np.sin(angle), 0 * angle + height], axis=1)
        asm.add(parts.ring(path, curves.circle(6, 0.009), UPRIGHT), LABEL, ROLE)
        spoke = curves.line((0, 0, height), (reach, 0, height), asm.step)
        asm.add_pair(parts.tube(spoke, curves.circle(6, 0.007), UPRIGHT), LABEL, ROLE)
