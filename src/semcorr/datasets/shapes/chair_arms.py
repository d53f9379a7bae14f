"""Arms of chairs: rests on posts, loops, closed side panels. Label "arm"."""

import numpy as np

from semcorr.datasets.shapes import curves, parts
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.chair_backs import arm_side
from semcorr.datasets.shapes.chair_plan import POSTED, Plan

LABEL = ROLE = "arm"
UPRIGHT = (0.0, 0.0, 1.0)
ACROSS = (1.0, 0.0, 0.0)


def post(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Rest from the back to a front post, sometimes with rods under it."""
    start = np.array(plan.on_seat(0.93, -rng.uniform(0.35, 0.85)))
    foot = np.array([*start, _inside_seat(plan, *start)])
    top = plan.height + plan.arm_height
    out = rng.uniform(0.0, 0.03)
    head = np.array([start[0] + out, start[1] - rng.uniform(-0.03, 0.03), top])
    end = _at_back(plan)
    thick, flat = rng.uniform(0.018, 0.03), max(plan.arm_thick, 0.03)
    over = head + np.array([0.0, -rng.uniform(0.02, 0.06), 0.0])
    swing = rng.uniform(-0.01, 0.03)
    bend = 0.5 * (over + end) + (swing + 0.25 * abs(end[0] - over[0]), 0, rng.uniform(-0.01, 0.01))
    path = curves.bezier([over, bend, end], plan.step)
    rest = parts.tube(path, curves.rectangle(thick, flat, 0.4), UPRIGHT)
    asm.add_pair(rest, LABEL, ROLE)
    _upright(asm, plan, foot, _under(path, head[1]), plan.bar * 0.75)
    if rng.random() < 0.25:
        for share in (0.35, 0.65):
            y = head[1] + share * (end[1] - head[1])
            spot = plan.on_seat(0.93, float(np.clip(2 * y / plan.depth, -0.9, 0.75)))
            low = np.array([*spot, _inside_seat(plan, *spot)])
            _upright(asm, plan, low, _under(path, y), 0.018)


def loop(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """One bent tube from the seat up and back to the backrest."""
    start = plan.on_seat(0.92, -rng.uniform(0.0, 0.6))
    foot = np.array([*start, _inside_seat(plan, *start)])
    top = plan.height + plan.arm_height
    end = _at_back(plan)
    side = max(start[0], end[0]) + rng.uniform(0.0, 0.04)
    front = -plan.depth / 2 + rng.uniform(0.0, 0.25) * plan.depth
    knee = np.array([side, front, top + rng.uniform(-0.02, 0.03)])
    path = curves.filleted([foot, knee, end], rng.uniform(0.06, 0.16), plan.step, turn=6)
    radius = rng.uniform(0.010, 0.018)
    asm.add_pair(parts.tube(path, curves.circle(8, radius)), LABEL, ROLE)


def panel(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Closed side, from below the seat up to the rest; upright, sloping or with a rolled top."""
    thick = plan.arm_thick
    low = plan.height - plan.slab * rng.uniform(0.9, 1.0)
    top = plan.height + plan.arm_height
    behind = plan.base + plan.arm_height * np.tan(plan.tilt) + 0.3 * plan.back_thick
    front = -plan.depth / 2 + rng.uniform(-0.01, 0.06) * plan.depth
    slope = rng.choice((0.0, 0.0, rng.uniform(-0.06, 0.08)))
    x = plan.width / 2 + 0.4 * thick
    solid = parts.box((thick, behind - front, top - low), rng.uniform(0.1, 0.45) * thick, plan.step)
    solid = solid.moved((0.0, (behind + front) / 2, (top + low) / 2))

    def fitted(p):
        # follow the seat's outline, keep to the tilt of the back behind, let the top slope
        up = (p[:, 2] - low) / (top - low)
        along = (p[:, 1] - front) / (behind - front)
        lean = (1 - up) * plan.arm_height * np.tan(plan.tilt) * along
        inward = plan.half_width(p[:, 1]) - plan.width / 2
        return p + np.stack([x + inward, -lean, slope * up * (along - 0.5)], axis=1)

    asm.add_pair(solid.warped(fitted), LABEL, ROLE)
    if slope == 0.0 and rng.random() < 0.4:
        radius = 0.5 * min(thick, 0.09) + rng.uniform(0.01, 0.02)
        path = curves.line((x, front - 0.005, top), (x, behind, top), plan.step)
        path[:, 0] += plan.half_width(path[:, 1]) - plan.width / 2 + 0.008
        roll = parts.tube(path, curves.circle(12, radius), UPRIGHT)
        asm.add_pair(roll, LABEL, ROLE)


def arm_end(plan: Plan) -> np.ndarray:
    """Point (3,) where the left arm runs into the surface of the back."""
    thick = plan.bar if plan.back in POSTED else plan.back_thick
    return _at_back(plan, thick / 2)


ARMS = {f.__name__: f for f in (post, loop, panel)}


def _inside_seat(plan: Plan, x: float, y: float) -> float:
    """Height inside the hard part of the seat at (x, y)."""
    return float(plan.seat_z(x, y)) + plan.foot


def _at_back(plan: Plan, forward: float = 0.0) -> np.ndarray:
    """Point (3,) at the left edge of the back where arms end, `forward` of the back's middle."""
    t = (plan.arm_height + 0.01) / np.cos(plan.tilt)
    return plan.to_back(np.array([arm_side(plan, t), t, forward]))


def _under(path: np.ndarray, y: float) -> np.ndarray:
    """The point of a rest's centre line at depth y."""
    return np.array([np.interp(y, path[:, 1], path[:, axis]) for axis in range(3)])


def _upright(asm: Assembly, plan: Plan, foot, top, size: float) -> None:
    section = curves.rectangle(size, size) if plan.square else curves.circle(8, size / 2)
    solid = parts.tube(curves.line(foot, top, plan.step), section, ACROSS)
    asm.add_pair(solid, LABEL, ROLE)
