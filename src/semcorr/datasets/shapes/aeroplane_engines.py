"""Engines, propellers, landing gear and canopy of aeroplanes."""

import numpy as np

from semcorr.datasets.shapes import curves, lofts, parts
from semcorr.datasets.shapes.aeroplane_plan import Aeroplane
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.solids import Solid

AFT = (0.0, 1.0, 0.0)
# a turbofan from its exhaust to its intake: (radius, distance) in shares of radius and length
NACELLE = (
    (0.0, 0.0), (0.3, 0.06), (0.45, 0.06), (0.6, 0.22), (0.85, 0.4), (0.98, 0.65), (1.0, 0.82),
    (0.93, 0.97), (0.84, 1.0), (0.76, 0.95), (0.72, 0.82), (0.45, 0.8), (0.2, 0.86), (0.0, 0.92),
)  # fmt: skip
NOZZLE = (
    (0.0, 0.3), (0.4, 0.3), (0.62, 0.2), (0.72, 0.0), (0.82, 0.0), (0.95, 0.3), (1.0, 0.65),
    (0.9, 0.95), (0.5, 1.0), (0.0, 1.0),
)  # fmt: skip


def along_nose(solid: Solid) -> Solid:
    """A body about z turned so that its top points forwards (-y)."""
    return solid.warped(lambda p: np.stack([p[:, 0], -p[:, 2], p[:, 1]], axis=1))


def turbine(profile, radius: float, length: float) -> Solid:
    """A lathed engine, its exhaust at y = 0 and its intake at y = -length."""
    shares = np.asarray(profile)
    return along_nose(parts.lathe(shares * (radius, length), 16))


def engines(asm: Assembly, a: Aeroplane) -> None:
    """What drives the aeroplane; gliders have none."""
    if a.engines != "none":
        ENGINES[a.engines](asm, a)


def _under(asm: Assembly, a: Aeroplane, places) -> None:
    radius, length = 0.034 * a.engine, 0.15 * a.engine
    for share in places:
        x = share * a.span / 2
        front, level = float(a.leading(x)), float(a.wing_height(x))
        drop = 1.15 * radius + a.thick * a.chord_at(x) * 0.5
        rear = front + 0.55 * length - 0.02
        solid = turbine(NACELLE, radius, length).moved((x, rear, level - drop))
        asm.add_pair(solid, "engine", "engine")
        start = (x, rear - 0.65 * length, level - drop + 0.6 * radius)
        # the pylon ends inside the wing
        pylon = parts.beam(start, (x, rear + 0.01, level - 0.006), 0.012, 0.012, asm.step)
        asm.add_pair(pylon, "engine", "engine")
        asm.mark_pair("engine_{}_front", (x, rear - length - 0.1, level - drop), "engine")


def under2(asm: Assembly, a: Aeroplane) -> None:
    """One turbofan under either wing."""
    _under(asm, a, (0.34,))


def under4(asm: Assembly, a: Aeroplane) -> None:
    """Two turbofans under either wing."""
    _under(asm, a, (0.62, 0.32))


def rear2(asm: Assembly, a: Aeroplane) -> None:
    """A turbofan on either side of the rear body."""
    radius, length = 0.032 * a.engine, 0.16 * a.engine
    rear = 0.3
    x = a.breadth * float(a.half_height(rear - length / 2)) + 1.15 * radius
    level = float(a.middle(rear)) + 0.35 * a.radius
    solid = turbine(NACELLE, radius, length).moved((x, rear, level))
    asm.add_pair(solid, "engine", "engine")
    y = rear - 0.5 * length
    pylon = parts.beam((0.3 * x, y, level), (x - 0.5 * radius, y, level), 0.45 * length, 0.012,
                       asm.step)  # fmt: skip
    asm.add_pair(pylon, "engine", "engine")
    asm.mark_pair("engine_{}_front", (x, rear - length - 0.1, level), "engine")


def rear3(asm: Assembly, a: Aeroplane) -> None:
    """As `rear2`, and one engine in the root of the fin."""
    rear2(asm, a)
    radius, length = 0.03 * a.engine, 0.26
    level = float(a.middle(0.4)) + float(a.half_height(0.36)) + 0.5 * radius
    asm.add(turbine(NACELLE, radius, length).moved((0, 0.5, level)), "engine", "engine")


def propeller(asm: Assembly, a: Aeroplane, hub, radius: float, sign: float = -1.0) -> None:
    """A spinner with blades around `hub` (3,), mirrored where it is off the middle; sign 1: aft."""
    hub = np.asarray(hub, np.float64)
    size = 0.16 * radius + 0.006
    path = curves.line(
        hub - sign * 0.02 * np.array(AFT), hub + sign * 1.2 * size * np.array(AFT), 0.4 * size
    )
    share = np.linspace(0.0, 1.0, len(path))
    taper = size * lofts.smooth(share, (1.0, 0.9, 0.35))
    place = asm.add if hub[0] == 0.0 else asm.add_pair
    place(lofts.rounded(path, taper, taper, 12), "engine", "trim")
    for i in range(a.blades):
        angle = 2 * np.pi * i / a.blades + (np.pi / 4 if a.blades == 4 else 0.0)
        way = np.array([np.sin(angle), 0.0, np.cos(angle)])
        way[np.abs(way) < 1e-9] = 0.0
        if hub[0] == 0.0 and way[0] < 0.0:
            continue  # the mirror image of another blade
        at = hub + sign * 0.3 * size * np.array(AFT)
        path = curves.line(at + 0.4 * size * way, at + 0.93 * radius * way, 0.12 * radius)
        wide = 0.085 * radius * lofts.smooth(np.linspace(0, 1, len(path)), (0.6, 1.0, 0.95, 0.6))
        blade = lofts.rounded(path, 0.3 * wide, wide, 8, AFT)
        (asm.add if hub[0] == 0.0 and way[0] == 0.0 else asm.add_pair)(blade, "engine", "blade")
    name = "engine_front" if hub[0] == 0.0 else "engine_{}_front"
    mark = asm.mark if hub[0] == 0.0 else asm.mark_pair
    mark(name, hub + sign * 3 * size * np.array(AFT), "engine")


def nose(asm: Assembly, a: Aeroplane) -> None:
    """A propeller on the nose."""
    level = float(a.middle(-0.5))
    dome = 0.6 * float(a.half_height(-0.5)) * min(1.0, a.breadth)
    propeller(asm, a, (0.0, -0.5 - dome, level), 0.15 * a.engine)


def pusher(asm: Assembly, a: Aeroplane) -> None:
    """A propeller behind a pod on top of the wing."""
    y = a.place + 0.75 * a.chord
    level = float(a.half_height(y)) + 0.05
    path = curves.line((0, y, level), (0, y - 0.16, level), asm.step)
    radius = 0.03 * lofts.smooth(np.linspace(0, 1, len(path)), (0.7, 1.0, 0.8))
    asm.add(lofts.rounded(path, radius, radius), "engine", "engine")
    pylon = parts.box((0.018, 0.09, level), 0.004, asm.step)
    asm.add(pylon.moved((0, y - 0.08, level / 2)), "engine", "engine")
    propeller(asm, a, (0.0, y + 0.025, level), 0.11 * a.engine, 1.0)


def _on_wing(asm: Assembly, a: Aeroplane, places, lift: float) -> None:
    radius = 0.03 * a.engine
    for share in places:
        x = share * a.span / 2
        front, level = float(a.leading(x)), float(a.wing_height(x)) + lift
        rear = front + 0.7 * float(a.chord_at(x))
        path = curves.line((x, rear, level), (x, front - 0.07, level), 0.7 * asm.step)
        size = radius * lofts.smooth(np.linspace(0, 1, len(path)), (0.4, 0.9, 1.05, 0.9))
        asm.add_pair(lofts.rounded(path, size, 1.15 * size), "engine", "engine")
        if lift > radius:
            pylon = parts.box((0.016, 0.08, lift), 0.004, asm.step)
            asm.add_pair(pylon.moved((x, front + 0.05, level - lift / 2)), "engine", "engine")
        propeller(asm, a, (x, front - 0.07 - 0.7 * radius, level), 0.085 * a.engine)


def props2(asm: Assembly, a: Aeroplane) -> None:
    """One propeller on either wing."""
    _on_wing(asm, a, (0.3,), 0.0)


def props4(asm: Assembly, a: Aeroplane) -> None:
    """Two propellers on either wing."""
    _on_wing(asm, a, (0.56, 0.28), 0.0)


def top2(asm: Assembly, a: Aeroplane) -> None:
    """Two propellers on pylons above the wing, clear of the water."""
    _on_wing(asm, a, (0.22,), 0.06)


def jet1(asm: Assembly, a: Aeroplane) -> None:
    """One nozzle at the tail."""
    radius = 1.12 * float(a.half_height(0.5))
    asm.add(turbine(NOZZLE, radius, 0.13).moved((0, 0.555, 0)), "engine", "engine")
    asm.mark("engine_rear", (0.0, 1.0, 0.0), "engine")


def jet2(asm: Assembly, a: Aeroplane) -> None:
    """Two nozzles side by side, with intakes along the body."""
    radius = 0.62 * a.radius
    x, length = 0.62 * a.breadth * a.radius, 0.62
    path = curves.line((x, 0.46, -0.1 * a.radius), (x, 0.46 - length, -0.1 * a.radius), asm.step)
    share = np.linspace(0.0, 1.0, len(path))
    size = radius * lofts.smooth(share, (0.95, 1.05, 1.0, 0.8))
    asm.add_pair(lofts.rounded(path, size, size, power=3.0, cap=0.15), "body", "body")
    nozzle = turbine(NOZZLE, 0.95 * radius, 0.11).moved((x, 0.54, -0.1 * a.radius))
    asm.add_pair(nozzle, "engine", "engine")
    asm.mark_pair("engine_{}_rear", (x, 1.0, 0.0), "engine")


ENGINES = {
    f.__name__: f
    for f in (under2, under4, rear2, rear3, nose, pusher, props2, props4, top2, jet1, jet2)
}


def gear(asm: Assembly, a: Aeroplane) -> None:
    """Fixed wheels or floats, part of the body."""
    if a.gear == "none":
        return
    drop, x = 1.1 * a.radius + 0.07, 1.6 * a.radius
    y = a.place + 0.25 * a.chord
    start = np.array([0.5 * a.breadth * a.radius, y, -0.6 * float(a.half_height(y))])
    if a.gear == "floats":
        path = curves.line((x, 0.12, -drop - 0.03), (x, -0.42, -drop - 0.02), asm.step)
        share = np.linspace(0.0, 1.0, len(path))
        wide = 0.035 * lofts.smooth(share, (0.35, 0.8, 1.0, 0.9, 0.5))
        asm.add_pair(lofts.rounded(path, wide, 0.9 * wide, power=2.8), "body", "trim")
        ways = ((x, y - 0.1, -drop - 0.02), (x, y + 0.1, -drop - 0.02))
        for end in ways:
            foot = start + (0.0, end[1] - y, 0.0)
            foot[2] = -0.5 * float(a.half_height(foot[1]))
            asm.add_pair(
                lofts.limb(foot, end, (0.008, 0.008), asm.step, 8, normal=AFT), "body", "trim"
            )
        return
    end = (x, y, -drop)
    asm.add_pair(lofts.limb(start, end, (0.009, 0.007), asm.step, 8, normal=AFT), "body", "trim")
    asm.add_pair(_wheel(0.032).moved((x + 0.012, y, -drop)), "body", "tyre")
    # the third wheel is ahead or behind
    y = -0.38 if a.body == "light" else 0.42
    start = np.array([0.0, y, float(a.middle(y)) - 0.5 * float(a.half_height(y))])
    low = -drop + 0.01 if y < 0 else start[2] - float(a.half_height(y)) - 0.02
    asm.add(lofts.limb(start, (0, y, low), (0.008, 0.006), asm.step, 8), "body", "trim")
    asm.add(_wheel(0.022 if y < 0 else 0.014).moved((0, y, low)), "body", "tyre")


def _wheel(radius: float) -> Solid:
    solid = parts.disc(radius, 0.6 * radius, 0.2 * radius, 0.7 * radius)
    return solid.warped(lambda p: np.stack([p[:, 2], p[:, 1], -p[:, 0]], axis=1))


def canopy(asm: Assembly, a: Aeroplane) -> None:
    """A glazed hood over the cockpit, part of the body."""
    if not a.canopy:
        return
    y = {"dart": -0.24, "pod": -0.3, "light": -0.16}[a.body]
    high = 0.62 * a.radius
    solid = parts.ball((0.55 * a.breadth * a.radius, 0.11, high), 12, 7)
    level = float(a.middle(y)) + 0.72 * float(a.half_height(y))
    asm.add(solid.moved((0.0, y, level)), "body", "glass")
