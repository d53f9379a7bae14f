"""Seats: boards, discs, cushions, buckets, slats, and the apron under them. Label "seat"."""

import numpy as np

from semcorr.datasets.shapes import parts
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.chair_plan import BUCKET_CORNER, POSTED, UPRIGHT_LEGS, Plan
from semcorr.datasets.shapes.solids import Solid

LABEL = "seat"


def box(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """One board, sharp or soft at its edges."""
    bevel = plan.slab * rng.choice((0.12, 0.3, 0.45))
    _lay(asm, plan, _board(plan, plan.slab, bevel), "seat")


def round(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Elliptical disc, flat or upholstered."""
    puff = plan.slab * rng.choice((0.0, 0.0, 0.5))
    bevel = plan.slab * rng.choice((0.15, 0.45))
    solid = parts.disc(plan.width / 2, plan.slab, bevel, plan.step, puff)
    _lay(asm, plan, solid.scaled((1, plan.depth / plan.width, 1)).moved(_down(plan.slab)), "seat")


def cushion(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Board or upholstered body with one or two cushions on it."""
    bevel = plan.board * rng.choice((0.15, 0.4))
    board = _board(plan, plan.board, bevel).moved((0, 0, plan.board - plan.slab))
    _lay(asm, plan, board, "trim")
    thick = plan.slab - 0.9 * plan.board
    back = plan.base - plan.back_thick / 2 if plan.back != "none" else plan.depth / 2
    front = -plan.depth / 2 + 0.01
    depth = min(back, plan.depth / 2 - 0.01) - front
    count = 1 if plan.width < 0.85 else int(rng.integers(2, 4))
    width = (plan.width - 0.02) / count
    puff = rng.uniform(0.1, 0.35)
    for i in range(count):
        pillow = parts.cushion((width - 0.004, depth, thick), plan.step, puff)
        middle = (i - (count - 1) / 2) * width
        _lay(asm, plan, pillow.moved((middle, front + depth / 2, -thick / 2)), "seat")


def bucket(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Thin shell with a hollow, raised sides and a falling front edge."""
    solid = _board(plan, plan.slab, 0.45 * plan.slab)
    soft = rng.uniform(0.02, 0.05 if plan.back in POSTED else BUCKET_CORNER)

    def rounded(p):
        # outline between a square and an ellipse
        a, b = 2 * p[:, 0] / plan.width, 2 * p[:, 1] / plan.depth
        pull_x, pull_y = 1 - soft * b**4, 1 - soft * a**4
        return p * np.stack([pull_x, pull_y, np.ones_like(a)], axis=1)

    _lay(asm, plan, solid.warped(rounded), "seat")


def slats(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Boards side by side on two rails (crosswise boards) or three (lengthwise boards)."""
    top, rail = plan.slab - plan.board, plan.board
    (xf, yf), (xr, yr) = plan.stand().front, plan.stand().rear

    def placed(p, share):
        # from the front to the rear attachment of the legs, under the seat's surface
        x = p[:, 0] + share * (xf + (xr - xf) * (p[:, 1] - yf) / (yr - yf))
        return np.stack([x, p[:, 1], p[:, 2] + plan.seat_z(x, p[:, 1])], axis=1)

    low = parts.box((0.03, 0.96 * plan.depth, 1.1 * rail), 0.004, plan.step)
    low = low.moved((0, 0, rail * 0.55 - plan.slab))
    asm.add_pair(low.warped(lambda p: placed(p, 1.0)), LABEL, "trim")
    if plan.width > 1.0:
        asm.add(low.warped(lambda p: placed(p, 0.0)), LABEL, "trim")
    count = int(rng.integers(4, 8))
    pitch = plan.depth / count
    gap = rng.uniform(0.1, 0.3) * pitch
    for i in range(count):
        board = parts.box((plan.width, pitch - gap, top), 0.2 * top, plan.step)
        middle = (i - (count - 1) / 2) * (plan.depth - pitch + gap) / max(count - 1, 1)
        _lay(asm, plan, board.moved((0, middle, -top / 2)), "seat")


def apron(asm: Assembly, plan: Plan) -> None:
    """Rails between the tops of upright legs."""
    if not plan.apron or plan.legs not in UPRIGHT_LEGS or plan.seat not in ("box", "cushion"):
        return
    stand = plan.stand()
    front, rear = np.array(stand.front), np.array(stand.rear)
    drop = plan.apron / 2 - 0.006
    for a, b, add in (
        (front * (-1, 1), front, asm.add),
        (rear * (-1, 1), rear, asm.add),
        (front, rear, asm.add_pair),
    ):
        start, end = ((*p, float(stand.under(*p)) - drop) for p in (a, b))
        add(parts.beam(start, end, 0.6 * plan.bar, plan.apron, plan.step), LABEL, "trim")


SEATS = {f.__name__: f for f in (box, round, cushion, bucket, slats)}


def _board(plan: Plan, thick: float, bevel: float) -> Solid:
    """Board of the seat's full size whose top is at z = 0."""
    bevel = min(bevel, plan.step)
    return parts.box((plan.width, plan.depth, thick), bevel, plan.step).moved(_down(thick))


def _down(thick: float) -> tuple[float, float, float]:
    return 0.0, 0.0, -thick / 2


def _lay(asm: Assembly, plan: Plan, solid: Solid, role: str) -> None:
    asm.add(solid.warped(plan.to_seat), LABEL, role)
