"""Backs of chairs, built in the unrolled back (s, t, n) and laid onto it. Label "back".

`Plan.to_back` says what s, t, n are; `arm_side` tells the arms where each back can be reached.
"""

from collections.abc import Callable

import numpy as np

from semcorr.datasets.shapes import chair_back_pieces as pieces
from semcorr.datasets.shapes import curves, parts
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.chair_plan import Plan

LABEL = "back"
FORWARD = (0.0, -1.0, 0.0)
ACROSS = (1.0, 0.0, 0.0)


def panel(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Flat board or upholstered slab, on the seat or raised on two straps."""
    h, thick = plan.back_height, plan.back_thick
    raised = rng.random() < 0.45 and h > 0.25 and thick < 0.06
    low = rng.uniform(0.15, 0.35) * h if raised else plan.foot
    soft = rng.choice((0.15, 0.3, 0.48))
    pieces.plate(
        asm, plan, (-plan.half_back, plan.half_back), (low, h), thick, soft, pieces.crown(plan, rng)
    )
    if raised:
        s = rng.uniform(0.3, 0.8) * plan.half_back
        pieces.strap(asm, plan, s, low + 0.3 * (h - low), min(0.6 * thick, 0.02))


def curved(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Thin bent board (the plan gives it its bow), often raised on straps."""
    h = plan.back_height
    raised = rng.random() < 0.6 and h > 0.22
    low = rng.uniform(0.25, 0.5) * h if raised else plan.foot
    half = plan.half_back
    pieces.plate(asm, plan, (-half, half), (low, h), plan.back_thick, 0.45, pieces.crown(plan, rng))
    if raised:
        s = rng.uniform(0.25, 0.7) * half
        pieces.strap(asm, plan, s, low + 0.4 * (h - low), 0.6 * plan.back_thick)


def shell(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """One bent sheet that runs on from the seat, rounded at the top."""
    half, h = plan.half_back, plan.back_height
    top = rng.uniform(0.25, 0.6)

    def outline(p):
        share = np.clip(p[:, 1] / h, 0, 1)
        return p * np.stack([1 - top * share**4, np.ones_like(share), np.ones_like(share)], axis=1)

    pieces.plate(asm, plan, (-half, half), (plan.foot, h), plan.back_thick, 0.45, outline)


def spindles(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Round rods between the seat and a top rail, the outer two often stronger."""
    h, rail = plan.back_height, rng.uniform(0.05, 0.12)
    rail = min(rail, 0.35 * h)
    half = plan.half_back
    span, thick = (-half - 0.01, half + 0.01), max(0.02, 0.6 * plan.bar)
    crown = pieces.crown(plan, rng, narrow=False)
    pieces.plate(asm, plan, span, (h - rail, h), thick, 0.4, crown, "frame")
    count = min(14, max(4, 2 + int(half / rng.uniform(0.035, 0.08))))
    thin, bulge = rng.uniform(0.006, 0.01), rng.choice((0.0, 0.35))
    outer = rng.choice((thin * 1.3, plan.bar * 0.45))
    for i in range((count + 1) // 2):
        s = half * (1 - 2 * i / (count - 1))
        pieces.rod(asm, plan, max(s, 0.0), h - 0.6 * rail, outer if i == 0 else thin, bulge)


def vslats(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Two posts, two rails, upright slats between the rails."""
    h, half = plan.back_height, plan.half_back
    pieces.posts(asm, plan, h, rng)
    low, rail = rng.uniform(0.08, 0.25) * h, min(rng.uniform(0.035, 0.08), 0.2 * h)
    thick = 0.6 * plan.bar
    span = (-half, half)
    pieces.plate(
        asm, plan, span, (h - rail, h), thick, 0.25, pieces.crown(plan, rng, False), "frame"
    )
    pieces.plate(asm, plan, span, (low, low + 0.7 * rail), thick, 0.25, None, "frame")
    count = int(rng.integers(2, 4)) + int(half / 0.08)
    room = 2 * half / (count + 1)
    width = room * rng.uniform(0.25, 0.75)
    for i in range((count + 1) // 2):
        s = half - (i + 1) * room
        pieces.slat(asm, plan, max(s, 0.0), width, (low + 0.3 * rail, h - 0.6 * rail), 0.5 * thick)


def ladder(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Two posts with crosswise slats, the top one arched or straight."""
    h, half = plan.back_height, plan.half_back
    pieces.posts(asm, plan, h * rng.choice((1.0, 1.03)), rng)
    count = max(2, min(6, int(h / rng.uniform(0.08, 0.16))))
    low = rng.uniform(0.15, 0.35) * h
    pitch = (h - low) / count
    width = pitch * rng.uniform(0.35, 0.75)
    arch = rng.choice((0.0, 0.25, 0.5)) * width

    def bent(p):
        rise = arch * (1 - (p[:, 0] / half) ** 2)
        return p + np.stack([0 * rise, rise, 0 * rise], axis=1)

    for i in range(count):
        top = h - i * pitch
        pieces.plate(asm, plan, (-half, half), (top - width, top), 0.45 * plan.bar, 0.3, bent)


def frame(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Two posts and two rails around a cushion or a tight panel."""
    h, half = plan.back_height, plan.half_back
    pieces.posts(asm, plan, h, rng)
    low, rail = rng.uniform(0.05, 0.3) * h, min(rng.uniform(0.03, 0.06), 0.15 * h)
    for t in (low, h - rail):
        span = (t, t + rail)
        pieces.plate(asm, plan, (-half, half), span, 0.7 * plan.bar, 0.25, None, "frame")
    thick = max(plan.back_thick, 0.9 * plan.bar)
    pad = (2 * half - 0.3 * plan.bar, h - low - 1.4 * rail, thick)
    solid = parts.cushion(pad, plan.step, rng.uniform(0.0, 0.4))
    middle = (0.0, (low + h) / 2, 0.15 * thick)
    asm.add(solid.moved(middle).warped(plan.to_back), LABEL, "back")


def cross(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Two posts, two rails and a diagonal cross of bent bars."""
    h, half = plan.back_height, plan.half_back
    pieces.posts(asm, plan, h, rng)
    low, rail = rng.uniform(0.08, 0.2) * h, min(rng.uniform(0.04, 0.07), 0.2 * h)
    for t, crown in ((low, None), (h - rail, pieces.crown(plan, rng, False))):
        span = (t, t + rail)
        pieces.plate(asm, plan, (-half, half), span, 0.6 * plan.bar, 0.3, crown, "frame")
    section = curves.rectangle(0.02, 0.012)
    crosses = 1 if half < 0.35 else 3
    wide = 2 * half / crosses
    for i in range((crosses + 1) // 2):
        # mirroring turns the one diagonal in the middle into a cross, the others need both
        for side in (1,) if i == 0 else (1, -1):
            reach = side * wide / 2
            start, end = (i * wide - reach, low + rail / 2, 0), (i * wide + reach, h - rail / 2, 0)
            path = plan.to_back(curves.line(start, end, plan.step))
            asm.add_pair(parts.tube(path, section, FORWARD), LABEL, "back")


def splat(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Two posts, a crest, and one shaped board in the middle."""
    h, half = plan.back_height, plan.half_back
    pieces.posts(asm, plan, h, rng)
    rail = min(rng.uniform(0.05, 0.09), 0.25 * h)
    thick = 0.6 * plan.bar
    crown = pieces.crown(plan, rng, narrow=False)
    pieces.plate(asm, plan, (-half - 0.01, half + 0.01), (h - rail, h), thick, 0.35, crown, "frame")
    width, waist = half * rng.uniform(0.45, 0.9), rng.uniform(0.2, 0.55)
    turns = rng.choice((1.0, 1.5, 2.0))

    def vase(p):
        share = np.clip(p[:, 1] / h, 0, 1)
        slim = 1 - waist * np.sin(np.pi * turns * share) ** 2
        return p * np.stack([slim, np.ones_like(slim), np.ones_like(slim)], axis=1)

    span = (plan.foot, h - 0.6 * rail)
    pieces.plate(asm, plan, (-width / 2, width / 2), span, 0.5 * thick, 0.3, vase)


def wing(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Tall upholstered slab with a wing on either side."""
    h, half, thick = plan.back_height, plan.half_back, plan.back_thick
    pieces.plate(
        asm, plan, (-half, half), (plan.foot, h), thick, 0.4, pieces.crown(plan, rng, False)
    )
    reach, start = rng.uniform(0.12, 0.24), plan.arm_height if plan.arms != "none" else 0.3 * h
    board = rng.uniform(0.04, 0.07)
    peak = rng.uniform(0.5, 0.8)
    low = max(0.02, start - 0.05)
    size = (board, h * 0.99 - low, reach + thick / 2)
    solid = parts.box(size, 0.4 * board, plan.step).moved(
        (half - board / 2, (h * 0.99 + low) / 2, reach / 2 - thick / 4)
    )

    def outline(p):
        # the wing reaches out most at `peak` and runs back into the slab above and below
        share = np.clip((p[:, 1] - low) / (h - low), 0, 1)
        full = 1 - 0.75 * np.abs(share - peak) ** 1.5 / max(peak, 1 - peak) ** 1.5
        return p * np.stack([np.ones_like(full), np.ones_like(full), full], axis=1)

    asm.add_pair(solid.warped(outline).warped(plan.to_back), LABEL, "back")


def low(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Low band around the rear of the seat: closed, or a rail on short rods."""
    h, half = plan.back_height, plan.half_back
    if rng.random() < 0.5:
        # the sides of a band that comes far forward fall off towards the front
        fall = rng.uniform(0.0, 0.45) * min(1.0, plan.wrap / 1.2)

        def falling(p):
            share = np.clip(p[:, 1] / h, 0, 1)
            drop = fall * h * share * np.abs(p[:, 0] / half) ** 2
            return p - np.stack([0 * drop, drop, 0 * drop], axis=1)

        pieces.plate(asm, plan, (-half, half), (plan.foot, h), plan.back_thick, 0.42, falling)
        return
    rail = rng.uniform(0.35, 0.55) * h
    thick = max(0.02, 0.7 * plan.back_thick)
    pieces.plate(asm, plan, (-half, half), (h - rail, h), thick, 0.4, None)
    count = int(rng.integers(3, 6)) if plan.wrap > 0.8 else int(rng.integers(2, 4))
    for i in range(count):
        s = half * (0.93 - i * (0.93 / max(count - 0.5, 1)))
        pieces.rod(asm, plan, s, h - 0.5 * rail, 0.009, 0.0)


def oval(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Oval ring on two short posts, filled with a cushion or with rods."""
    a, b, middle = _oval(plan)
    size = plan.bar * 0.75
    angle = np.arange(36) * (2 * np.pi / 36)
    flat = np.stack([a * np.cos(angle), middle + b * np.sin(angle), 0 * angle], axis=1)
    section = curves.rectangle(size, size, 0.5)
    asm.add(parts.ring(plan.to_back(flat), section, FORWARD), LABEL, "frame")
    s = a * rng.uniform(0.55, 0.75)
    meet = middle - b * np.sqrt(1 - (s / a) ** 2)
    path = plan.to_back(curves.line((s, plan.foot, 0), (s, meet, 0), plan.step))
    asm.add_pair(parts.tube(path, curves.circle(8, 0.45 * size), ACROSS), LABEL, "frame")
    if rng.random() < 0.75:
        thick = max(0.025, 0.8 * size)
        pad = parts.disc(1.0, thick, 0.4 * thick, 2 * plan.step / (a + b), 0.35 * thick)
        pad = pad.scaled((a, b, 1)).moved((0, middle, 0))
        asm.add(pad.warped(plan.to_back), LABEL, "back")
        return
    count = int(rng.integers(3, 6))
    for i in range((count + 1) // 2):
        s = max(0.0, a * (1 - 2 * (i + 1) / (count + 1)))
        rise = b * np.sqrt(1 - (s / a) ** 2)
        pieces.rod(asm, plan, s, middle + rise, 0.008, 0.0, middle - rise)


def hoop(asm: Assembly, plan: Plan, rng: np.random.Generator) -> None:
    """Bow from seat to seat over rods, or over a second smaller bow."""
    half, h, radius = plan.half_back, plan.back_height, plan.bar * rng.uniform(0.3, 0.45)
    straight_to = _hoop_shoulder(plan)

    def bow(share):
        side, top = half * share, h * (0.3 + 0.7 * share)
        rise = top - straight_to * share
        angle = np.linspace(0, np.pi, 25)
        arc = [side * np.cos(angle), straight_to * share + rise * np.sin(angle), 0 * angle]
        low = curves.line((side, plan.foot, 0), (side, straight_to * share, 0), plan.step)
        path = np.concatenate([low[:-1], np.stack(arc, axis=1), low[-2::-1] * (-1, 1, 1)])
        asm.add(parts.tube(plan.to_back(path), curves.circle(8, radius), FORWARD), LABEL, "frame")

    bow(1.0)
    if rng.random() < 0.4:
        bow(rng.uniform(0.5, 0.7))
        return
    count = int(rng.integers(4, 9))
    for i in range((count + 1) // 2):
        s = max(0.0, half * (1 - 2 * (i + 1) / (count + 1)))
        top = straight_to + (h - straight_to) * np.sqrt(1 - (s / half) ** 2)
        pieces.rod(asm, plan, s, top, 0.008, 0.0)


BACKS: dict[str, Callable] = {
    f.__name__: f
    for f in (panel, curved, shell, spindles, vslats, ladder, frame)
    + (cross, splat, wing, low, oval, hoop)
}


def arm_side(plan: Plan, t: float) -> float:
    """The s at which an arm rest ends inside the back at height t of the slope."""
    if plan.back == "oval":
        a, b, middle = _oval(plan)
        return a * float(np.sqrt(max(0.05, 1 - ((t - middle) / b) ** 2)))
    if plan.back == "hoop":
        shoulder = _hoop_shoulder(plan)
        share = max(0.0, (t - shoulder) / (plan.back_height - shoulder))
        return plan.half_back * float(np.sqrt(max(0.05, 1 - share**2)))
    if plan.back in ("panel", "curved", "shell"):
        return plan.half_back - 0.035  # these may be narrower above
    return plan.half_back - (0.012 if plan.back in ("spindles", "low", "wing") else 0.0)


def arm_height(plan: Plan) -> float | None:
    """Height along the slope at which this back wants its arms, or None for any."""
    return _oval(plan)[2] if plan.back == "oval" else None


def _oval(plan: Plan) -> tuple[float, float, float]:
    """Half width, half height and middle height of an oval back's ring."""
    b = 0.4 * plan.back_height
    return 0.95 * plan.half_back, b, plan.back_height - b


def _hoop_shoulder(plan: Plan) -> float:
    """Height at which the bow begins to close."""
    return 0.5 * plan.back_height
